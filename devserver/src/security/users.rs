//! Users and their roles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::password::Hash;
use super::privileges::{self, Privilege};
use crate::wire::result::{Outcome, ResultCode};

/// Longest name of a user or a role, in bytes (`MAX_USER_SIZE` in `as/include/base/security.h`, without the final
/// zero).
const MAX_NAME: usize = 63;
/// Maximum number of roles of a user and of privileges of a role: the count is one byte.
const MAX_LIST: usize = 255;

/// Users and roles.
pub struct Users {
    users: BTreeMap<String, User>,
    roles: BTreeMap<String, Vec<Privilege>>,
}

struct User {
    hash: Hash,
    roles: BTreeSet<String>,
    /// The privileges of all roles.
    privileges: Arc<[Privilege]>,
}

impl Users {
    /// Creates the predefined roles, and no users.
    pub fn new() -> Users {
        let roles = privileges::predefined_roles().map(|(name, list)| (name.to_owned(), list));
        Users {
            users: BTreeMap::new(),
            roles: roles.collect(),
        }
    }

    /// Returns the privileges of a user, if it exists.
    pub fn privileges(&self, user: &str) -> Option<Arc<[Privilege]>> {
        Some(Arc::clone(&self.users.get(user)?.privileges))
    }

    /// # Errors
    /// [`ResultCode::INVALID_USER`]: there is no such user.
    pub fn hash(&self, user: &str) -> Outcome<&Hash> {
        let user = self.users.get(user).ok_or(ResultCode::INVALID_USER)?;
        Ok(&user.hash)
    }

    /// # Errors
    /// [`ResultCode::INVALID_USER`] for an invalid name, [`ResultCode::USER_EXISTS`], [`ResultCode::INVALID_ROLE`].
    pub fn create(&mut self, name: &str, hash: Hash, roles: &[&str]) -> Outcome<()> {
        if !is_name(name) {
            return Err(ResultCode::INVALID_USER);
        }
        if self.users.contains_key(name) {
            return Err(ResultCode::USER_EXISTS);
        }
        let roles = self.known_roles(roles)?;
        let privileges = self.privileges_of(&roles);
        let user = User {
            hash,
            roles,
            privileges,
        };
        self.users.insert(name.to_owned(), user);
        Ok(())
    }

    pub fn drop(&mut self, name: &str) -> Outcome<()> {
        let dropped = self.users.remove(name);
        dropped.map(|_| ()).ok_or(ResultCode::INVALID_USER)
    }

    pub fn set_hash(&mut self, name: &str, hash: Hash) -> Outcome<()> {
        self.user(name)?.hash = hash;
        Ok(())
    }

    pub fn grant(&mut self, name: &str, roles: &[&str]) -> Outcome<()> {
        let roles = self.known_roles(roles)?;
        let user = self.user(name)?;
        if user.roles.union(&roles).count() > MAX_LIST {
            return Err(ResultCode::INVALID_ROLE);
        }
        user.roles.extend(roles);
        self.refresh();
        Ok(())
    }

    pub fn revoke(&mut self, name: &str, roles: &[&str]) -> Outcome<()> {
        let roles = self.known_roles(roles)?;
        let user = self.user(name)?;
        user.roles.retain(|role| !roles.contains(role));
        self.refresh();
        Ok(())
    }

    /// Returns one user, or all of them, each with the names of its roles.
    pub fn list(&self, name: Option<&str>) -> Outcome<Vec<(&str, Vec<&str>)>> {
        let users = self.users.iter();
        let list: Vec<_> = users
            .filter(|(user, _)| name.is_none_or(|name| name == *user))
            .map(|(name, user)| (&**name, user.roles.iter().map(|role| &**role).collect()))
            .collect();
        match name {
            Some(_) if list.is_empty() => Err(ResultCode::INVALID_USER),
            _ => Ok(list),
        }
    }

    pub fn create_role(&mut self, role: &str, privileges: Vec<Privilege>) -> Outcome<()> {
        if !is_name(role) {
            return Err(ResultCode::INVALID_ROLE);
        }
        if self.roles.contains_key(role) {
            return Err(ResultCode::ROLE_EXISTS);
        }
        self.roles.insert(role.to_owned(), privileges);
        Ok(())
    }

    pub fn drop_role(&mut self, role: &str) -> Outcome<()> {
        self.own_role(role)?;
        self.roles.remove(role);
        for user in self.users.values_mut() {
            user.roles.remove(role);
        }
        self.refresh();
        Ok(())
    }

    pub fn grant_privileges(&mut self, role: &str, privileges: Vec<Privilege>) -> Outcome<()> {
        let list = self.own_role(role)?;
        for privilege in privileges {
            if !list.contains(&privilege) {
                list.push(privilege);
            }
        }
        list.truncate(MAX_LIST);
        self.refresh();
        Ok(())
    }

    pub fn revoke_privileges(&mut self, role: &str, privileges: &[Privilege]) -> Outcome<()> {
        let list = self.own_role(role)?;
        list.retain(|privilege| !privileges.contains(privilege));
        self.refresh();
        Ok(())
    }

    /// Returns one role, or all of them, each with its privileges.
    pub fn list_roles(&self, name: Option<&str>) -> Outcome<Vec<(&str, &[Privilege])>> {
        let roles = self.roles.iter();
        let list: Vec<_> = roles
            .filter(|(role, _)| name.is_none_or(|name| name == *role))
            .map(|(role, privileges)| (&**role, &**privileges))
            .collect();
        match name {
            Some(_) if list.is_empty() => Err(ResultCode::INVALID_ROLE),
            _ => Ok(list),
        }
    }

    fn user(&mut self, name: &str) -> Outcome<&mut User> {
        self.users.get_mut(name).ok_or(ResultCode::INVALID_USER)
    }

    /// Returns a role that may be changed. Predefined roles may not.
    fn own_role(&mut self, role: &str) -> Outcome<&mut Vec<Privilege>> {
        if privileges::is_predefined(role) {
            return Err(ResultCode::INVALID_ROLE);
        }
        self.roles.get_mut(role).ok_or(ResultCode::INVALID_ROLE)
    }

    fn known_roles(&self, roles: &[&str]) -> Outcome<BTreeSet<String>> {
        if roles.iter().any(|role| !self.roles.contains_key(*role)) {
            return Err(ResultCode::INVALID_ROLE);
        }
        Ok(roles.iter().map(|role| (*role).to_owned()).collect())
    }

    fn privileges_of(&self, roles: &BTreeSet<String>) -> Arc<[Privilege]> {
        let lists = roles.iter().filter_map(|role| self.roles.get(role));
        lists.flatten().cloned().collect()
    }

    /// Updates the privileges of all users.
    fn refresh(&mut self) {
        let mut users = std::mem::take(&mut self.users);
        for user in users.values_mut() {
            user.privileges = self.privileges_of(&user.roles);
        }
        self.users = users;
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME
}
