//! Keeps a damaged file under another name, and reports it.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Keeps a file as `FILE.damaged-1`, or with the next free number. Returns the name.
///
/// The file also keeps its own name until another file replaces it.
pub fn keep_copy(path: &Path) -> io::Result<PathBuf> {
    for number in 1u32.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let kept = PathBuf::from(name);
        match fs::hard_link(path, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // The file system has no hard links.
            Err(_) => match File::create_new(&kept) {
                Ok(mut copy) => {
                    io::copy(&mut File::open(path)?, &mut copy)?;
                    copy.sync_all()?;
                    return Ok(kept);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            },
        }
    }
    Err(io::Error::other("there are too many damaged files"))
}

/// Returns the warning about a damaged file.
pub fn describe(path: &Path, kept: &Path, damage: &[Range<u64>], entries: u64) -> String {
    let bytes: u64 = damage.iter().map(|lost| lost.end - lost.start).sum();
    let first = damage.first().map_or(0, |lost| lost.start);
    let places = match damage.len() {
        1 => format!("at offset {first}"),
        count => format!("in {count} places, the first at offset {first}"),
    };
    format!(
        "data file {} is damaged: {bytes} bytes {places} could not be read, and the changes in them are lost. The server \
         uses all {entries} other changes. The damaged file was kept as {}",
        path.display(),
        kept.display()
    )
}
