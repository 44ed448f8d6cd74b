//! Permissions of users, and changes of them.
#![allow(clippy::unwrap_used)]

mod common;

use aerospike::{
    AdminPolicy, BatchOperation, BatchPolicy, BatchReadPolicy, BatchWritePolicy, Bins, ResultCode,
    as_bin, as_key, operations,
};
use common::security::{HASH, USER, Wire, connect, start, user};
use common::{get, refusal, write_policy};

#[tokio::test(flavor = "multi_thread")]
async fn a_role_grants_exactly_its_permissions() {
    let users = [
        ("reader", user("r", &["read"])),
        ("writer", user("w", &["write"])),
        ("nobody", user("n", &[])),
    ];
    let server = start(&users, 3_600).await;
    let key = as_key!("test", "demo", "a");
    let bins = [as_bin!("n", 1)];
    let policy = write_policy(|_| {});

    let writer = connect(&server, "writer", "w").await.unwrap();
    writer.put(&policy, &key, &bins).await.unwrap();
    assert_eq!(refusal(get(&writer, &key).await), ResultCode::RoleViolation);
    let both = [operations::put(&bins[0]), operations::get()];
    assert_eq!(
        refusal(writer.operate(&policy, &key, &both).await),
        ResultCode::RoleViolation
    );
    assert!(writer.delete(&policy, &key).await.unwrap());
    writer.put(&policy, &key, &bins).await.unwrap();

    let reader = connect(&server, "reader", "r").await.unwrap();
    get(&reader, &key).await.unwrap();
    assert_eq!(
        refusal(reader.put(&policy, &key, &bins).await),
        ResultCode::RoleViolation
    );
    assert_eq!(
        refusal(reader.delete(&policy, &key).await),
        ResultCode::RoleViolation
    );
    assert!(
        reader
            .truncate(&AdminPolicy::default(), "test", "demo", 0)
            .await
            .is_err()
    );

    let nobody = connect(&server, "nobody", "n").await.unwrap();
    assert_eq!(refusal(get(&nobody, &key).await), ResultCode::RoleViolation);
    get(&reader, &key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_permissions_for_each_row_of_a_batch() {
    let server = start(&[("reader", user("r", &["read"]))], 3_600).await;
    let client = connect(&server, "reader", "r").await.unwrap();
    let key = as_key!("test", "demo", "a");
    let mut rows = [
        BatchOperation::read(&BatchReadPolicy::default(), key.clone(), Bins::All),
        BatchOperation::write(
            &BatchWritePolicy::default(),
            key.clone(),
            vec![operations::put(&as_bin!("n", 1))],
        ),
    ];
    client
        .batch(&BatchPolicy::default(), &mut rows)
        .await
        .unwrap();
    let codes: Vec<_> = rows
        .iter()
        .map(|row| row.batch_record().result_code())
        .collect();
    assert_eq!(
        codes,
        [
            Some(ResultCode::KeyNotFoundError),
            Some(ResultCode::RoleViolation)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn info_commands_that_change_something_need_a_role() {
    let users = [
        ("reader", user("aerospike", &["read"])),
        ("admin", user("aerospike", &["data-admin"])),
    ];
    let server = start(&users, 3_600).await;
    let create = "sindex-create:namespace=test;set=demo;indexname=by-n;bin=n;type=numeric\n";
    let mut wire = Wire::open(&server);
    wire.login("reader", HASH).unwrap();
    assert!(
        wire.info(create)
            .ends_with("\tERROR:81:role violation - requires permission 'sindex-admin'\n")
    );
    assert!(
        wire.info("truncate:namespace=test;set=demo\n")
            .ends_with("\tERROR:81:role violation - requires permission 'truncate'\n")
    );
    assert!(wire.info("namespaces\n").starts_with("namespaces\ttest"));
    let mut wire = Wire::open(&server);
    wire.login("admin", HASH).unwrap();
    assert!(wire.info(create).ends_with("\tok\n"));
    assert!(
        wire.info("truncate:namespace=test;set=demo\n")
            .ends_with("\tok\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_administrator_creates_changes_and_drops_users() {
    let server = start(&[("root", user("top", &["user-admin"]))], 3_600).await;
    let root = connect(&server, "root", "top").await.unwrap();
    let policy = AdminPolicy::default();
    let key = as_key!("test", "demo", "a");
    root.create_user(&policy, "ada", "secret", &["read"])
        .await
        .unwrap();
    let again = root.create_user(&policy, "ada", "secret", &["read"]).await;
    assert_eq!(refusal(again), ResultCode::UserAlreadyExists);
    let unknown = root
        .create_user(&policy, "bob", "secret", &["no such role"])
        .await;
    assert_eq!(refusal(unknown), ResultCode::InvalidRole);

    let ada = connect(&server, "ada", "secret").await.unwrap();
    assert_eq!(refusal(get(&ada, &key).await), ResultCode::KeyNotFoundError);
    root.grant_roles(&policy, "ada", &["write"]).await.unwrap();
    ada.put(&write_policy(|_| {}), &key, &[as_bin!("n", 1)])
        .await
        .unwrap();
    root.revoke_roles(&policy, "ada", &["read"]).await.unwrap();
    assert_eq!(refusal(get(&ada, &key).await), ResultCode::RoleViolation);

    let users = root.query_users(&policy, None).await.unwrap();
    let listed: Vec<_> = users
        .into_iter()
        .map(|user| (user.user, user.roles))
        .collect();
    assert_eq!(
        listed,
        [
            ("ada".to_owned(), vec!["write".to_owned()]),
            ("root".to_owned(), vec!["user-admin".to_owned()])
        ]
    );
    // Users may query themselves, and no other user.
    assert_eq!(
        ada.query_users(&policy, Some("ada")).await.unwrap().len(),
        1
    );
    let other = ada.query_users(&policy, Some("root")).await;
    assert_eq!(refusal(other), ResultCode::RoleViolation);
    let missing = root.query_users(&policy, Some("bob")).await;
    assert_eq!(refusal(missing), ResultCode::InvalidUser);

    root.change_password(&policy, "ada", "better")
        .await
        .unwrap();
    assert!(connect(&server, "ada", "secret").await.is_err());
    connect(&server, "ada", "better").await.unwrap();

    root.drop_user(&policy, "ada").await.unwrap();
    assert!(connect(&server, "ada", "better").await.is_err());
    assert!(get(&ada, &key).await.is_err());
    assert_eq!(
        refusal(root.drop_user(&policy, "ada").await),
        ResultCode::InvalidUser
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_a_password_requires_the_old_one() {
    let server = start(&[("ada", user("aerospike", &["read"]))], 3_600).await;
    let mut wire = Wire::open(&server);
    wire.login("ada", HASH).unwrap();
    let new = &[b'x'; 60][..];
    let mut change =
        |user: &[u8], old: &[u8], new: &[u8]| wire.admin(4, &[(USER, user), (2, old), (1, new)]).0;
    assert_eq!(change(b"ada", new, new), 62);
    assert_eq!(change(b"ada", b"", new), 62);
    assert_eq!(change(b"ada", HASH, b"too short"), 62);
    assert_eq!(change(b"eve", HASH, new), 81);
    assert_eq!(change(b"ada", HASH, new), 0);
    let mut wire = Wire::open(&server);
    assert_eq!(wire.login("ada", HASH), Err(65));
    wire.login("ada", new).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_role_is_limited_to_its_namespace_and_set() {
    use aerospike::{Privilege, PrivilegeCode};
    let users = [
        ("root", user("top", &["user-admin"])),
        ("ada", user("secret", &[])),
    ];
    let server = start(&users, 3_600).await;
    let root = connect(&server, "root", "top").await.unwrap();
    let ada = connect(&server, "ada", "secret").await.unwrap();
    let policy = AdminPolicy::default();
    let privilege = Privilege {
        code: PrivilegeCode::ReadWrite,
        namespace: Some("test".into()),
        set_name: Some("mine".into()),
    };
    root.create_role(&policy, "mine", std::slice::from_ref(&privilege), &[], 0, 0)
        .await
        .unwrap();
    root.grant_roles(&policy, "ada", &["mine"]).await.unwrap();
    let put = async |namespace: &str, set: &str| {
        let key = as_key!(namespace, set, "a");
        ada.put(&write_policy(|_| {}), &key, &[as_bin!("n", 1)])
            .await
    };
    put("test", "mine").await.unwrap();
    assert_eq!(
        refusal(put("test", "other").await),
        ResultCode::RoleViolation
    );
    assert_eq!(
        refusal(put("nottl", "mine").await),
        ResultCode::RoleViolation
    );

    let roles = root.query_roles(&policy, Some("mine")).await.unwrap();
    assert_eq!(roles.len(), 1);
    assert_eq!(roles[0].privileges[0].set_name.as_deref(), Some("mine"));
    assert_eq!(root.query_roles(&policy, None).await.unwrap().len(), 11);
    root.revoke_privileges(&policy, "mine", &[privilege])
        .await
        .unwrap();
    assert_eq!(
        refusal(put("test", "mine").await),
        ResultCode::RoleViolation
    );
    root.drop_role(&policy, "mine").await.unwrap();
    let gone = root.grant_roles(&policy, "ada", &["mine"]).await;
    assert_eq!(refusal(gone), ResultCode::InvalidRole);
    assert_eq!(
        refusal(root.drop_role(&policy, "read").await),
        ResultCode::InvalidRole
    );
}
