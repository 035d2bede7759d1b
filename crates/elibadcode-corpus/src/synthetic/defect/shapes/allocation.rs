//! Functions that allocate.

use super::super::DefectKind::{
    InvertedCondition, MissingNullCheck, OffByOne, ResourceLeak, SizeOverflow, WrongSize,
};
use super::{Template, moved, swapped};

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "clone-buffer",
        head: "void *$fn(const void *$src, size_t $len)",
        cases: &[
            moved(
                MissingNullCheck,
                "if (`!$ptr~$ptr == NULL`) return NULL;",
                "void *$ptr; $ptr = $alloc($len); #S memcpy($ptr, $src, $len); #D stat_bytes
                += $len; #N return $ptr;",
            ),
            swapped(
                InvertedCondition,
                "void *$ptr; $ptr = $alloc($len); if (#{!$ptr#|$ptr#}) return NULL;
                memcpy($ptr, $src, $len); stat_bytes += $len; #N return $ptr;",
            ),
        ],
    },
    Template {
        name: "filled-array",
        head: "$elem *$fn(size_t $len, $elem $val)",
        cases: &[
            moved(
                MissingNullCheck,
                "if (`!$arr~$arr == NULL`) return NULL;",
                "$elem *$arr; size_t $idx; $arr = calloc($len, sizeof(*$arr)); #S for ($idx
                = 0; $idx < $len; $idx++) $arr[$idx] = $val; #D #N return $arr;",
            ),
            swapped(
                OffByOne,
                "$elem *$arr; size_t $idx; $arr = calloc($len, sizeof(*$arr)); if (!$arr)
                return NULL; for ($idx = 0; $idx #{<#|<=#} $len; $idx++) $arr[$idx] = $val;
                #N return $arr;",
            ),
        ],
    },
    Template {
        name: "new-object",
        head: "$type *$fn(int $val)",
        cases: &[moved(
            MissingNullCheck,
            "if (`!$obj~$obj == NULL`) return NULL;",
            "$type *$obj; $obj = calloc(1, sizeof(*$obj)); #S $obj->$intfield = $val; #D
                $obj->next = NULL; #N return $obj;",
        )],
    },
    Template {
        name: "pointer-table",
        head: "$type **$fn(size_t $len)",
        cases: &[swapped(
            WrongSize,
            "$type **$arr; $type *$obj; if ($len == 0) return NULL; $arr = calloc($len,
                sizeof(*$arr)); $obj = calloc(1, sizeof(#{*$obj#|$obj#})); if (!$arr ||
                !$obj) abort(); $arr[0] = $obj; #N return $arr;",
        )],
    },
    Template {
        name: "clear-records",
        head: "size_t $fn($type *$obj, size_t $len)",
        cases: &[
            swapped(
                WrongSize,
                "if (`!$obj~$obj == NULL`) return 0; memset($obj, 0, #{$len *
                sizeof(*$obj)#|$len#}); stat_bytes += $len; #N return $len;",
            ),
            moved(
                MissingNullCheck,
                "if (`!$obj~$obj == NULL`) return 0;",
                "#S memset($obj, 0, $len * sizeof(*$obj)); #D stat_bytes += $len; #N return $len;",
            ),
        ],
    },
    Template {
        name: "array-with-sentinel",
        head: "$elem *$fn(size_t $len)",
        cases: &[swapped(
            OffByOne,
            "$elem *$arr; if ($len > $const) return NULL; $arr = calloc($len#{ + 1#|#},
                sizeof(*$arr)); if (!$arr) return NULL; $arr[$len] = 0; #N return $arr;",
        )],
    },
    Template {
        name: "resize-buffer",
        head: "int $fn($type *$obj, size_t $len)",
        cases: &[moved(
            ResourceLeak,
            "if (`!$ptr~$ptr == NULL`) return -ENOMEM;",
            "unsigned char *$ptr; $ptr = realloc($obj->$datafield, $len); #S
                $obj->$datafield = $ptr; #D $obj->$lenfield = $len; #N return 0;",
        )],
    },
    Template {
        name: "limited-alloc",
        head: "void *$fn(size_t $len, size_t $max)",
        cases: &[
            moved(
                ResourceLeak,
                "if (`$len > $max~$max < $len`) return NULL;",
                "void *$ptr; #S $ptr = $alloc($len); if (!$ptr) return NULL; #D memset($ptr,
                0, $len); #N return $ptr;",
            ),
            moved(
                MissingNullCheck,
                "if (`!$ptr~$ptr == NULL`) return NULL;",
                "void *$ptr; if ($len > $max) return NULL; $ptr = $alloc($len); #S
                memset($ptr, 0, $len); #D #N return $ptr;",
            ),
        ],
    },
    Template {
        name: "alloc-with-header",
        head: "void *$fn(const void *$src, size_t $len)",
        cases: &[moved(
            SizeOverflow,
            "if ($len > SIZE_MAX - $const) return NULL;",
            "unsigned char *$ptr; #S $ptr = $alloc($len + $const); if (!$ptr) return
                NULL; memcpy($ptr + $const, $src, $len); #D #N return $ptr;",
        )],
    },
];
