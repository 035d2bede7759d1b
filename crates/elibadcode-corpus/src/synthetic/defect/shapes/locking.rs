//! Functions that lock.

use super::super::DefectKind::{MissingUnlock, UnprotectedAccess};
use super::{Template, moved};

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "locked-update",
        head: "int $fn($type *$obj, int $val)",
        cases: &[
            moved(
                MissingUnlock,
                "$lock(&$obj->lock);",
                "#D if (`$val < 0~$val > $const`) return $error; #S $obj->$intfield = $val;
                $unlock(&$obj->lock); #N return 0;",
            ),
            moved(
                UnprotectedAccess,
                "$unlock(&$obj->lock);",
                "if ($val < 0) return $error; $lock(&$obj->lock); #D
                $obj->$intfield = $val; #S #N return 0;",
            ),
            moved(
                UnprotectedAccess,
                "$lock(&$obj->lock);",
                "if ($val < 0) return $error; #S $obj->$intfield = $val; #D
                $unlock(&$obj->lock); #N return 0;",
            ),
        ],
    },
    Template {
        name: "locked-read",
        head: "int $fn($type *$obj)",
        cases: &[moved(
            UnprotectedAccess,
            "$unlock(&$obj->lock);",
            "int $val; $lock(&$obj->lock); #D $val = $obj->$intfield; #S
            stat_calls++; #N return $val;",
        )],
    },
    Template {
        name: "locked-work",
        head: "int $fn($type *$obj, size_t $len)",
        cases: &[
            moved(
                MissingUnlock,
                "$unlock(&$obj->lock);",
                "int $ret; $lock(&$obj->lock); $ret = $work($obj->$datafield, $len); #S
                if ($ret < 0) return $ret; #D #N return 0;",
            ),
            moved(
                UnprotectedAccess,
                "$unlock(&$obj->lock);",
                "int $ret; $lock(&$obj->lock); #D $ret = $work($obj->$datafield, $len); #S
                if ($ret < 0) return $error; #N return 0;",
            ),
        ],
    },
    Template {
        name: "locked-counter",
        head: "void $fn($type *$obj, size_t $len)",
        cases: &[
            moved(
                MissingUnlock,
                "$lock(&$obj->lock);",
                "#D if (`$len == 0~!$len`) return; #S $obj->$lenfield += $len;
                $obj->$reffield++; $unlock(&$obj->lock); #N",
            ),
            moved(
                UnprotectedAccess,
                "$unlock(&$obj->lock);",
                "$lock(&$obj->lock); $obj->$lenfield += $len; #D $obj->$reffield++; #S
                stat_bytes += $len; #N",
            ),
        ],
    },
];
