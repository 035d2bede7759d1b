//! Functions that work on files and descriptors.

use super::super::DefectKind::{
    MissingHandleCheck, MissingNullCheck, ResourceLeak, UncheckedReturn, UseAfterFree,
};
use super::{Template, moved};

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "read-file",
        head: "int $fn(const char *$src, char *$dst, size_t $len)",
        cases: &[
            moved(
                UseAfterFree,
                "fclose($file);",
                "FILE *$file; size_t $num; $file = fopen($src, \"rb\"); if (!$file) return
                $error; #D $num = fread($dst, 1, $len, $file); #S #N return $num == $len;",
            ),
            moved(
                MissingNullCheck,
                "if (`!$file~$file == NULL`) return $error;",
                "FILE *$file; size_t $num; $file = fopen($src, \"rb\"); #S $num =
                fread($dst, 1, $len, $file); #D fclose($file); #N return $num == $len;",
            ),
            moved(
                ResourceLeak,
                "fclose($file);",
                "FILE *$file; size_t $num; $file = fopen($src, \"rb\"); if (!$file) return
                $error; $num = fread($dst, 1, $len, $file); #S if ($num < $len) return -EIO;
                #D #N return 0;",
            ),
        ],
    },
    Template {
        name: "read-descriptor",
        head: "int $fn(const char *$src, void *$dst, size_t $len)",
        cases: &[
            moved(
                MissingHandleCheck,
                "if ($fd < 0) return $error;",
                "int $fd; ssize_t $ret; $fd = open($src, O_RDONLY); #S $ret = read($fd,
                $dst, $len); #D close($fd); #N return $ret < 0 ? -EIO : 0;",
            ),
            moved(
                UseAfterFree,
                "close($fd);",
                "int $fd; ssize_t $ret; $fd = open($src, O_RDONLY); if ($fd < 0) return
                $error; #D $ret = read($fd, $dst, $len); #S #N return $ret < 0 ? -EIO : 0;",
            ),
            moved(
                ResourceLeak,
                "close($fd);",
                "int $fd; ssize_t $ret; $fd = open($src, O_RDONLY); if ($fd < 0) return
                $error; $ret = read($fd, $dst, $len); #S if ($ret < 0) return -EIO; #D #N
                return 0;",
            ),
        ],
    },
    Template {
        name: "write-all",
        head: "int $fn(int $fd, const char *$src, size_t $len)",
        cases: &[moved(
            UncheckedReturn,
            "if ($ret < 0) return $error;",
            "ssize_t $ret; while ($len > 0) { $ret = write($fd, $src, $len); #S $src +=
                $ret; #D $len -= $ret; } #N return 0;",
        )],
    },
    Template {
        name: "append-log",
        head: "int $fn(const char *$src, const char *$dst, int $val)",
        cases: &[
            moved(
                MissingNullCheck,
                "if (`!$file~$file == NULL`) return $error;",
                "FILE *$file; $file = fopen($dst, \"a\"); #S fprintf($file, \"%s %d\", $src,
                $val); #D fclose($file); #N return 0;",
            ),
            moved(
                UseAfterFree,
                "fclose($file);",
                "FILE *$file; $file = fopen($dst, \"a\"); if (!$file) return $error; #D
                fprintf($file, \"%s %d\", $src, $val); #S #N return 0;",
            ),
        ],
    },
    Template {
        name: "seek-and-read",
        head: "int $fn(int $fd, void *$dst, size_t $len, off_t $pos)",
        cases: &[
            moved(
                MissingHandleCheck,
                "if ($fd < 0) return $error;",
                "ssize_t $ret; #S $ret = pread($fd, $dst, $len, $pos); #D if ($ret < 0)
                return -EIO; stat_bytes += $ret; #N return 0;",
            ),
            moved(
                UncheckedReturn,
                "if ($ret < 0) return -EIO;",
                "ssize_t $ret; if ($fd < 0) return $error; $ret = pread($fd, $dst, $len,
                $pos); #S stat_bytes += $ret; #D #N return 0;",
            ),
        ],
    },
];
