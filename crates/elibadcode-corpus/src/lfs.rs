//! Files that `git clone` leaves as pointers.

/// Bytes of a file that tell a pointer of Git LFS.
pub const LFS_START: usize = POINTER.len();
const POINTER: &[u8] = b"version https://git-lfs";

/// What is wrong with a file that starts with these bytes, if it is a pointer of Git LFS.
pub fn lfs_problem(start: &[u8]) -> Option<String> {
    let text = "is a pointer of Git LFS, not the file itself: run `git lfs pull`";
    start.starts_with(POINTER).then(|| text.to_owned())
}
