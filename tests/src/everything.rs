//! Everything that stands somewhere, byte by byte, so that a test can say that nothing was written.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_local_aws::testbed::Testbed;

/// The files below a folder, by their names.
///
/// # Panics
/// If one cannot be read.
pub fn in_folder(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    files_below(root, root, &mut files);
    files
}

/// The table's items and the bucket's objects.
///
/// # Panics
/// If they cannot be read.
pub async fn in_aws(aws: &Testbed) -> BTreeMap<String, Vec<u8>> {
    let mut kept = BTreeMap::new();
    let items = aws_sdk_dynamodb::Client::new(&aws.config).scan().table_name(&aws.names.table).send().await;
    let mut items: Vec<String> =
        items.unwrap().items().iter().map(|item| in_order(&AttributeValue::M(item.clone()))).collect();
    items.sort();
    kept.insert("the table".to_owned(), items.join("\n").into_bytes());
    let s3 = crosswalk_local_aws::s3_client(&aws.config);
    let bucket = &aws.names.bucket;
    for object in s3.list_objects_v2().bucket(bucket).send().await.unwrap().contents() {
        let key = object.key().unwrap();
        let object = s3.get_object().bucket(bucket).key(key).send().await.unwrap();
        kept.insert(key.to_owned(), object.body.collect().await.unwrap().to_vec());
    }
    kept
}

/// An item's text, with its maps in the order of their names.
fn in_order(value: &AttributeValue) -> String {
    match value {
        AttributeValue::M(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(name, value)| (name, in_order(value))).collect();
            format!("{sorted:?}")
        }
        AttributeValue::L(list) => format!("{:?}", list.iter().map(in_order).collect::<Vec<_>>()),
        plain => format!("{plain:?}"),
    }
}

fn files_below(root: &Path, folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(root, &path, into);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            into.insert(name, std::fs::read(&path).unwrap());
        }
    }
}
