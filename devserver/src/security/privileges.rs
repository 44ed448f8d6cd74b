//! Permissions, privileges and predefined roles. A role is a list of privileges. A privilege grants permissions,
//! everywhere or in one namespace or set. Source: `as_sec_perm` in `as/include/base/security.h`, and
//! `as_privilege_code` in the C client's `as_admin.h`.

use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

/// The server's permissions, as bits.
pub mod permission {
    pub const READ: u32 = 0x0001;
    pub const QUERY: u32 = 0x0002;
    pub const WRITE: u32 = 0x0004;
    pub const UDF_APPLY: u32 = 0x0010;
    pub const UDF_QUERY: u32 = 0x0020;
    pub const OPS_QUERY: u32 = 0x0040;
    pub const UDF_ADMIN: u32 = 0x0001_0000;
    pub const SINDEX_ADMIN: u32 = 0x0002_0000;
    pub const QUERY_ADMIN: u32 = 0x0004_0000;
    pub const TRUNCATE: u32 = 0x0008_0000;
    pub const EVICT_ADMIN: u32 = 0x0010_0000;
    pub const RECORD_INFO: u32 = 0x0020_0000;
    pub const SET_CONFIG: u32 = 0x0100_0000;
    pub const LOGGING_CTRL: u32 = 0x0200_0000;
    pub const SERVICE_CTRL: u32 = 0x0400_0000;
    /// `PERM_USER_ADMIN`, which is a higher bit in the server.
    pub const USER_ADMIN: u32 = 0x8000_0000;

    /// Returns the server's name of a permission (`perm_to_string()` in `as/src/base/thr_info.c`).
    pub fn name(permission: u32) -> &'static str {
        match permission {
            UDF_ADMIN => "udf-admin",
            SINDEX_ADMIN => "sindex-admin",
            QUERY_ADMIN => "query-admin",
            TRUNCATE => "truncate",
            EVICT_ADMIN => "evict-admin",
            RECORD_INFO => "record-info",
            SET_CONFIG => "set-config",
            LOGGING_CTRL => "logging-ctrl",
            SERVICE_CTRL => "service-ctrl",
            _ => "none",
        }
    }
}

use permission::*;

/// The lowest code of a privilege that may be limited to a namespace or a set.
const FIRST_SCOPED: u8 = 10;

/// The predefined roles, each with one privilege: name, code of the privilege, permissions.
const PREDEFINED: [(&str, u8, u32); 10] = [
    ("user-admin", 0, USER_ADMIN),
    ("sys-admin", 1, SYS_ADMIN),
    ("data-admin", 2, DATA_ADMIN),
    ("udf-admin", 3, UDF_ADMIN),
    ("sindex-admin", 4, SINDEX_ADMIN),
    ("read", 10, READ | QUERY),
    ("read-write", 11, READ_WRITE),
    ("read-write-udf", 12, READ_WRITE | UDF_APPLY | UDF_QUERY),
    ("write", 13, WRITE | OPS_QUERY),
    ("truncate", 14, TRUNCATE),
];
const READ_WRITE: u32 = READ | QUERY | WRITE | OPS_QUERY;
const DATA_ADMIN: u32 = UDF_ADMIN | SINDEX_ADMIN | QUERY_ADMIN | TRUNCATE;
const SYS_ADMIN: u32 =
    DATA_ADMIN | EVICT_ADMIN | RECORD_INFO | SET_CONFIG | LOGGING_CTRL | SERVICE_CTRL;

/// Permissions and their scope. An empty namespace or set means all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    code: u8,
    permissions: u32,
    namespace: Vec<u8>,
    set: Vec<u8>,
}

impl Privilege {
    /// # Errors
    /// [`ResultCode::INVALID_PRIVILEGE`]: no such code.
    fn new(code: u8, namespace: &[u8], set: &[u8]) -> Outcome<Privilege> {
        let (_, _, permissions) = PREDEFINED
            .iter()
            .find(|(_, known, _)| *known == code)
            .ok_or(ResultCode::INVALID_PRIVILEGE)?;
        Ok(Privilege {
            code,
            permissions: *permissions,
            namespace: namespace.into(),
            set: set.into(),
        })
    }

    /// Returns the permissions that this grants in a set. `None` means outside of namespaces, an empty set the whole
    /// namespace.
    pub fn permissions(&self, place: Option<(&[u8], &[u8])>) -> u32 {
        let (namespace, set) = place.unwrap_or_default();
        let holds = |scope: &[u8], name: &[u8]| scope.is_empty() || scope == name;
        if holds(&self.namespace, namespace) && holds(&self.set, set) {
            self.permissions
        } else {
            0
        }
    }
}

/// Returns the predefined roles.
pub fn predefined_roles() -> impl Iterator<Item = (&'static str, Vec<Privilege>)> {
    PREDEFINED.iter().map(|(name, code, permissions)| {
        let privilege = Privilege {
            code: *code,
            permissions: *permissions,
            namespace: Vec::new(),
            set: Vec::new(),
        };
        (*name, vec![privilege])
    })
}

pub fn is_predefined(role: &str) -> bool {
    PREDEFINED.iter().any(|(name, ..)| *name == role)
}

/// Reads a field of privileges: a count, then codes, some of them followed by a namespace and a set.
///
/// # Errors
/// [`ResultCode::INVALID_PRIVILEGE`].
pub fn parse(field: &[u8]) -> Outcome<Vec<Privilege>> {
    let read = || {
        let mut reader = Reader::new(field);
        let count = reader.u8()?;
        (0..count)
            .map(|_| {
                let code = reader.u8()?;
                if code < FIRST_SCOPED {
                    return Privilege::new(code, b"", b"");
                }
                let size = reader.u8()?;
                let namespace = reader.take(size.into())?;
                let size = reader.u8()?;
                Privilege::new(code, namespace, reader.take(size.into())?)
            })
            .collect::<Outcome<Vec<_>>>()
    };
    read().map_err(|_: ResultCode| ResultCode::INVALID_PRIVILEGE)
}

/// Writes what [`parse`] reads.
pub fn write(privileges: &[Privilege]) -> Vec<u8> {
    let mut field = vec![privileges.len() as u8];
    for privilege in privileges {
        field.push(privilege.code);
        if privilege.code >= FIRST_SCOPED {
            for name in [&privilege.namespace, &privilege.set] {
                field.push(name.len() as u8);
                field.extend_from_slice(name);
            }
        }
    }
    field
}
