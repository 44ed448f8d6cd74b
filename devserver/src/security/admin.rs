//! Changes and lists users and roles. All of it is for user administrators, except that users may change their own
//! password and list their own roles.

use super::access::Login;
use super::manager::Security;
use super::password::Hash;
use super::privileges;
use super::privileges::permission;
use super::users::Users;
use crate::wire::proto::{self, FrameType};
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};
use crate::wire::security::{Request, command, field, write_message, write_result};

impl Security {
    pub(super) fn administer(
        &self,
        login: &Login,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome<()> {
        let access = self.access(login);
        access.require_login()?;
        let me = login.as_deref();
        let user = request.text(field::USER);
        let is_admin = access.require(permission::USER_ADMIN);
        match request.command {
            command::QUERY_USERS => {
                if user.is_none() || user != me {
                    is_admin?;
                }
                return list_users(&self.users.read(), user, out);
            }
            command::QUERY_ROLES => {
                let role = request.text(field::ROLE);
                let users = self.users.read();
                let mine = users.list(me)?;
                let has = |role| mine.iter().any(|(_, roles)| roles.contains(&role));
                if !role.is_some_and(has) {
                    is_admin?;
                }
                return list_roles(&users, role, out);
            }
            command::CHANGE_PASSWORD => {
                if user.is_none() || user != me {
                    is_admin?;
                }
                change_password(&mut self.users.write(), request)?;
            }
            _ => {
                is_admin?;
                change(&mut self.users.write(), request)?;
            }
        }
        write_result(out, ResultCode::OK);
        Ok(())
    }
}

/// Changes a password. The old password is required.
fn change_password(users: &mut Users, request: &Request<'_>) -> Outcome<()> {
    let user = user_of(request)?;
    let old = request.get(field::OLD_PASSWORD);
    if !old.is_some_and(|old| users.hash(user).is_ok_and(|hash| hash.is(old))) {
        users.hash(user)?;
        return Err(ResultCode::INVALID_PASSWORD);
    }
    users.set_hash(user, hash_of(request)?)
}

fn change(users: &mut Users, request: &Request<'_>) -> Outcome<()> {
    match request.command {
        command::CREATE_USER => {
            users.create(user_of(request)?, hash_of(request)?, &roles_of(request)?)
        }
        command::DROP_USER => users.drop(user_of(request)?),
        command::SET_PASSWORD => users.set_hash(user_of(request)?, hash_of(request)?),
        command::GRANT_ROLES => users.grant(user_of(request)?, &roles_of(request)?),
        command::REVOKE_ROLES => users.revoke(user_of(request)?, &roles_of(request)?),
        command::CREATE_ROLE => {
            refuse_limits(request)?;
            let list = request.get(field::PRIVILEGES).map(privileges::parse);
            users.create_role(role_of(request)?, list.transpose()?.unwrap_or_default())
        }
        command::DROP_ROLE => users.drop_role(role_of(request)?),
        command::GRANT_PRIVILEGES => {
            users.grant_privileges(role_of(request)?, privileges_of(request)?)
        }
        command::REVOKE_PRIVILEGES => {
            users.revoke_privileges(role_of(request)?, &privileges_of(request)?)
        }
        _ => Err(ResultCode::SECURITY_COMMAND),
    }
}

fn user_of<'a>(request: &Request<'a>) -> Outcome<&'a str> {
    request.text(field::USER).ok_or(ResultCode::INVALID_USER)
}

fn role_of<'a>(request: &Request<'a>) -> Outcome<&'a str> {
    request.text(field::ROLE).ok_or(ResultCode::INVALID_ROLE)
}

fn hash_of(request: &Request<'_>) -> Outcome<Hash> {
    Hash::from_wire(request.get(field::PASSWORD).unwrap_or_default())
}

fn privileges_of(request: &Request<'_>) -> Outcome<Vec<privileges::Privilege>> {
    privileges::parse(request.get(field::PRIVILEGES).unwrap_or_default())
}

/// Reads a count, then names, each with its length in front.
fn roles_of<'a>(request: &Request<'a>) -> Outcome<Vec<&'a str>> {
    let mut reader = Reader::new(request.get(field::ROLES).unwrap_or_default());
    let mut read = || {
        let count = reader.u8()?;
        (0..count)
            .map(|_| {
                let size = reader.u8()?;
                std::str::from_utf8(reader.take(size.into())?).map_err(|_| ResultCode::INVALID_ROLE)
            })
            .collect::<Outcome<Vec<_>>>()
    };
    read().map_err(|_| ResultCode::INVALID_ROLE)
}

/// Refuses allowlists, which this server does not have, and quotas, which are off by default in a real server.
fn refuse_limits(request: &Request<'_>) -> Outcome<()> {
    if request.get(field::ALLOWLIST).is_some() {
        return Err(ResultCode::INVALID_ALLOWLIST);
    }
    let quotas = [field::READ_QUOTA, field::WRITE_QUOTA];
    let is_set = |id: &u8| {
        request
            .get(*id)
            .is_some_and(|data| data.iter().any(|byte| *byte != 0))
    };
    if quotas.iter().any(is_set) {
        return Err(ResultCode::QUOTAS_NOT_ENABLED);
    }
    Ok(())
}

/// Writes one message for each user, then one that marks the end, all in one frame.
fn list_users(users: &Users, name: Option<&str>, out: &mut Vec<u8>) -> Outcome<()> {
    let list = users.list(name)?;
    let start = proto::begin(out, FrameType::Security);
    for (name, roles) in list {
        let mut names = vec![roles.len() as u8];
        for role in roles {
            names.push(role.len() as u8);
            names.extend_from_slice(role.as_bytes());
        }
        let fields = [
            (field::USER, name.as_bytes().to_vec()),
            (field::ROLES, names),
            (field::CONNECTIONS, vec![0; 4]),
        ];
        write_message(out, ResultCode::OK, &fields);
    }
    write_message(out, ResultCode::SECURITY_LAST, &[]);
    proto::finish(out, start);
    Ok(())
}

fn list_roles(users: &Users, name: Option<&str>, out: &mut Vec<u8>) -> Outcome<()> {
    let list = users.list_roles(name)?;
    let start = proto::begin(out, FrameType::Security);
    for (name, list) in list {
        let fields = [
            (field::ROLE, name.as_bytes().to_vec()),
            (field::PRIVILEGES, privileges::write(list)),
        ];
        write_message(out, ResultCode::OK, &fields);
    }
    write_message(out, ResultCode::SECURITY_LAST, &[]);
    proto::finish(out, start);
    Ok(())
}
