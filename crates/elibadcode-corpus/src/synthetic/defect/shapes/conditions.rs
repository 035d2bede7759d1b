//! Functions that branch on states and results.

use super::super::DefectKind::{
    InvertedCondition, MissingNullCheck, OperatorPrecedence, UncheckedReturn, UninitializedUse,
};
use super::{Template, moved, swapped};

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "call-and-store",
        head: "int $fn($type *$obj, const void *$src, size_t $len)",
        cases: &[
            moved(
                UncheckedReturn,
                "if ($ret < 0) return $ret;",
                "int $ret; $ret = $work($src, $len); #S $obj->$lenfield += $ret; #D
                $obj->$intfield = 1; #N return 0;",
            ),
            swapped(
                UncheckedReturn,
                "int $ret; $ret = $work($src, $len); if ($ret < 0) return #{$ret#|0#};
                $obj->$lenfield = $len; $obj->$intfield = 1; #N return 0;",
            ),
        ],
    },
    Template {
        name: "guarded-state",
        head: "int $fn($type *$obj, int $val)",
        cases: &[
            moved(
                MissingNullCheck,
                "if (`!$obj~$obj == NULL`) return $error;",
                "#S $obj->$intfield = $val; #D stat_calls++; #N return 0;",
            ),
            swapped(
                InvertedCondition,
                "if (#{!$obj#|$obj#}) return $error; $obj->$busyfield = 1; $obj->$intfield =
                $val; #N return 0;",
            ),
            swapped(
                MissingNullCheck,
                "if (#{!$obj || $obj->$busyfield#|`$obj->$busyfield ||
                !$obj~$obj->$busyfield`#}) return $error; stat_calls++; $obj->$intfield = $val; #N return
                0;",
            ),
        ],
    },
    Template {
        name: "active-length",
        head: "size_t $fn(const $type *$obj, size_t $max)",
        cases: &[
            swapped(
                MissingNullCheck,
                "if (#{$obj && $obj->$lenfield > $max#|`$obj->$lenfield > $max &&
                $obj~$obj->$lenfield > $max`#}) return $max; stat_calls++; #N return 0;",
            ),
            swapped(
                MissingNullCheck,
                "size_t $len = 0; while (#{$obj && $obj->$lenfield > 0#|`$obj->$lenfield > 0
                && $obj~$obj->$lenfield > 0`#}) { $len += $max; $obj = $obj->next; } #N
                return $len;",
            ),
        ],
    },
    Template {
        name: "flag-test",
        head: "int $fn($type *$obj, unsigned int $flags)",
        cases: &[
            swapped(
                OperatorPrecedence,
                "if (#{!($flags & $const)#|!$flags & $const#}) return $error;
                $obj->$intfield = $flags; stat_calls++; #N return 0;",
            ),

        ],
    },
    Template {
        name: "validate-array",
        head: "int $fn(const $elem *$arr, size_t $len, $elem $max)",
        cases: &[
            swapped(
                UninitializedUse,
                "size_t $idx; int $ret#{ = 0#|#}; for ($idx = 0; $idx < $len; $idx++) if
                ($arr[$idx] > $max) $ret = $error; #N return $ret;",
            ),
            swapped(
                InvertedCondition,
                "size_t $idx; for ($idx = 0; $idx #{<#|>#} $len; $idx++) if ($arr[$idx] >
                $max) return $error; stat_calls++; #N return 0;",
            ),
        ],
    },
    Template {
        name: "optional-buffer",
        head: "void *$fn(size_t $len)",
        cases: &[swapped(
            UninitializedUse,
            "void *$ptr#{ = NULL#|#}; void *$dst; if ($len > 0) $ptr = $alloc($len);
                $dst = $ptr; if ($dst) memset($dst, 0, $len); #N return $dst;",
        )],
    },
    Template {
        name: "find-node",
        head: "$type *$fn($type *$obj, int $val)",
        cases: &[
            swapped(
                MissingNullCheck,
                "while (#{$obj && $obj->$intfield != $val#|`$obj->$intfield != $val &&
                $obj~$obj->$intfield != $val`#}) $obj = $obj->next; stat_calls++; #N return
                $obj;",
            ),
            swapped(
                InvertedCondition,
                "if ($val == 0) return NULL; while ($obj && $obj->$intfield #{!=#|==#} $val)
                $obj = $obj->next; #N return $obj;",
            ),
        ],
    },
];
