//! Functions that give memory or references back.

use super::super::DefectKind::{
    DanglingLocal, DoubleFree, MissingNullCheck, ResourceLeak, UncheckedReturn, UseAfterFree,
};
use super::{Template, moved, swapped};

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "destroy-object",
        head: "int $fn($type *$obj)",
        cases: &[
            moved(
                UseAfterFree,
                "$free($obj);",
                "int $val; $free($obj->$datafield); #D $val = $obj->$intfield; #S
                stat_calls++; #N return $val;",
            ),
            moved(
                UseAfterFree,
                "$free($obj);",
                "if (!$obj) return 0; #D stat_bytes -= $obj->$lenfield;
                $free($obj->$datafield); #S #N return 1;",
            ),
        ],
    },
    Template {
        name: "free-list",
        head: "size_t $fn($type *$obj)",
        cases: &[moved(
            UseAfterFree,
            "$free($obj);",
            "$type *$nxt; size_t $len = 0; while (`$obj~$obj != NULL`) { #D $nxt =
                $obj->next; #S $obj = $nxt; $len++; } #N return $len;",
        )],
    },
    Template {
        name: "scratch-copy",
        head: "int $fn(const void *$src, size_t $len)",
        cases: &[
            swapped(
                DoubleFree,
                "int $ret; void *$ptr = $alloc($len); if (!$ptr) return -ENOMEM;
                memcpy($ptr, $src, $len); $ret = $work($ptr, $len);
                if ($ret < 0) #{stat_calls++;#|$free($ptr);#} $free($ptr); #N return $ret;",
            ),
            moved(
                UseAfterFree,
                "$free($ptr);",
                "int $ret; void *$ptr = $alloc($len); if (!$ptr) return -ENOMEM;
                memcpy($ptr, $src, $len); #D $ret = $work($ptr, $len); #S #N return $ret;",
            ),
        ],
    },
    Template {
        name: "reset-object",
        head: "void $fn($type *$obj)",
        cases: &[
            moved(
                ResourceLeak,
                "$obj->$datafield = NULL;",
                "if (`!$obj~$obj == NULL`) return; #D $free($obj->$datafield); #S
                $obj->$lenfield = 0; $obj->$intfield = 0; #N",
            ),
            moved(
                MissingNullCheck,
                "if (`!$obj~$obj == NULL`) return;",
                "#S $free($obj->$datafield); #D $obj->$datafield = NULL; $obj->$lenfield = 0; #N",
            ),
        ],
    },
    Template {
        name: "replace-buffer",
        head: "void $fn($type *$obj, unsigned char *$src, size_t $len)",
        cases: &[moved(
            UseAfterFree,
            "$free($obj->$datafield);",
            "#S $obj->$datafield = $src; #D $obj->$lenfield = $len; stat_bytes += $len; #N",
        )],
    },
    Template {
        name: "release-reference",
        head: "int $fn($type *$obj, int $val)",
        cases: &[
            moved(
                UseAfterFree,
                "$put($obj);",
                "if ($val < 0) return $error; #D $obj->$intfield = $val; #S #N return 0;",
            ),
            moved(
                UseAfterFree,
                "$put($obj);",
                "int $ret; #D $ret = $obj->$intfield + $val; #S if ($ret < 0) return $error;
                #N return $ret;",
            ),
        ],
    },
    Template {
        name: "format-number",
        head: "const char *$fn(int $val)",
        cases: &[
            swapped(
                DanglingLocal,
                "#{static char#|char#} $dst[$const]; int $ret; $ret = snprintf($dst,
                sizeof($dst), \"%d\", $val); if ($ret < 0) return NULL; #N return $dst;",
            ),
            moved(
                UncheckedReturn,
                "if ($ret < 0) return NULL;",
                "static char $dst[$const]; int $ret; $ret = snprintf($dst, sizeof($dst),
                \"%d\", $val); #S stat_bytes += $ret; #D #N return $dst;",
            ),
        ],
    },
    Template {
        name: "hand-over",
        head: "int $fn($type *$obj, const void *$src, size_t $len)",
        cases: &[
            moved(
                ResourceLeak,
                "if ($obj->$datafield) return -EBUSY;",
                "unsigned char *$ptr; #S $ptr = $alloc($len); if (!$ptr) return -ENOMEM; #D
                memcpy($ptr, $src, $len); $obj->$datafield = $ptr; #N return 0;",
            ),
            moved(
                MissingNullCheck,
                "if (`!$ptr~$ptr == NULL`) return -ENOMEM;",
                "unsigned char *$ptr; if ($obj->$datafield) return -EBUSY; $ptr =
                $alloc($len); #S memcpy($ptr, $src, $len); #D $obj->$datafield = $ptr; #N
                return 0;",
            ),
        ],
    },
];
