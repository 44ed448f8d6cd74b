"""What the examples share."""


def raises(kind, do, *args):
    """The call must fail, with this kind of error."""
    try:
        do(*args)
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def about(ttl, expected):
    """A TTL that was just set."""
    assert expected - 10 < ttl <= expected, f"TTL {ttl}, not {expected}"
