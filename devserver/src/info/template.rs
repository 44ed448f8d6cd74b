//! The server's long responses: hundreds of `name=value` in a fixed order. The files in `names/` have the names with
//! the values of a new, single server in memory. Live values replace them.

pub const NAMESPACE_STATISTICS: &str = include_str!("names/namespace-statistics.txt");
pub const NAMESPACE_CONFIG: &str = include_str!("names/namespace-config.txt");
pub const SERVICE_CONFIG: &str = include_str!("names/service-config.txt");
pub const NETWORK_CONFIG: &str = include_str!("names/network-config.txt");
pub const STATISTICS: &str = include_str!("names/statistics.txt");
pub const ENDPOINTS: &str = include_str!("names/endpoints.txt");
/// `context:level`, one for each line.
pub const LOG_LEVELS: &str = include_str!("names/log-levels.txt");
/// Names only: the commands that `help` lists.
pub const HELP: &str = include_str!("names/help.txt");

/// Joins a template's lines with `;`. Live values replace those of the template.
pub fn fill(template: &str, live: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len());
    for line in template.lines() {
        if !out.is_empty() {
            out.push(';');
        }
        let name = line.split('=').next().unwrap_or(line);
        match live(name) {
            Some(value) => out += &format!("{name}={value}"),
            None => out += line,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn inserts_live_values_and_keeps_the_order() {
        let live = |name: &str| (name == "b").then(|| "7".to_owned());
        assert_eq!(
            fill("a=1\nb=0\nc=x=y\nplain\n", live),
            "a=1;b=7;c=x=y;plain"
        );
    }
}
