//! Functions that index, copy and loop.

use super::super::DefectKind::{
    IntegerUnderflow, InvertedCondition, MissingBoundsCheck, OffByOne, SignError, UninitializedUse,
};
use super::{Template, moved, swapped};

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "array-get",
        head: "int $fn(const $elem *$arr, $uint $len, $uint $pos, $elem *$dst)",
        cases: &[
            moved(
                MissingBoundsCheck,
                "if (`$pos >= $len~$len <= $pos`) return $error;",
                "#S *$dst = $arr[$pos]; #D stat_calls++; #N return 0;",
            ),
            swapped(
                InvertedCondition,
                "if ($pos #{>=#|<=#} $len) return $error; *$dst = $arr[$pos]; #N return 0;",
            ),
        ],
    },
    Template {
        name: "object-set",
        head: "int $fn($type *$obj, size_t $pos, unsigned char $val)",
        cases: &[
            moved(
                MissingBoundsCheck,
                "if (`$pos >= $obj->$lenfield~$obj->$lenfield <= $pos`) return $error;",
                "#S $obj->$datafield[$pos] = $val; #D $obj->$busyfield = 1; #N return 0;",
            ),
            swapped(
                InvertedCondition,
                "if ($obj->$lenfield #{<=#|>=#} $pos) return $error; $obj->$datafield[$pos]
                = $val; $obj->$busyfield = 1; #N return 0;",
            ),
        ],
    },
    Template {
        name: "clamped-copy",
        head: "$uint $fn(void *$dst, $uint $max, const void *$src, $uint $len)",
        cases: &[moved(
            MissingBoundsCheck,
            "if (`$len > $max~$max < $len`) $len = $max;",
            "#S memcpy($dst, $src, $len); #D stat_bytes += $len; #N return $len;",
        )],
    },
    Template {
        name: "smaller-of-two",
        head: "size_t $fn(char *$dst, size_t $max, const char *$src, size_t $len)",
        cases: &[swapped(
            MissingBoundsCheck,
            "size_t $num; $num = $len #{<#|>#} $max ? $len : $max; memcpy($dst, $src,
                $num); #N return $num;",
        )],
    },
    Template {
        name: "scan-to",
        head: "size_t $fn(const char *$src, size_t $len, char $chr)",
        cases: &[
            swapped(
                MissingBoundsCheck,
                "size_t $pos = 0; while (#{$pos < $len && $src[$pos] != $chr#|`$src[$pos] !=
                $chr && $pos < $len~$src[$pos] != $chr`#}) $pos++; stat_bytes += $pos; #N
                return $pos;",
            ),
            swapped(
                OffByOne,
                "size_t $pos = 0; while ($pos #{<#|<=#} $len && $src[$pos] != $chr) $pos++;
                stat_bytes += $pos; #N return $pos;",
            ),
        ],
    },
    Template {
        name: "push-byte",
        head: "int $fn($type *$obj, unsigned char $val)",
        cases: &[
            moved(
                MissingBoundsCheck,
                "if (`$obj->used >= $obj->size~$obj->size <= $obj->used`) return $error;",
                "#S $obj->$datafield[$obj->used++] = $val; #D stat_bytes++; #N return 0;",
            ),
            swapped(
                InvertedCondition,
                "if ($obj->size #{<=#|>=#} $obj->used) return $error;
                $obj->$datafield[$obj->used++] = $val; stat_bytes++; #N return 0;",
            ),
        ],
    },
    Template {
        name: "sum-array",
        head: "$int $fn(const $elem *$arr, size_t $len)",
        cases: &[
            swapped(
                OffByOne,
                "size_t $idx; $int $sum = 0; for ($idx = 0; $idx #{<#|<=#} $len; $idx++)
                $sum += $arr[$idx]; #N return $sum;",
            ),
            swapped(
                UninitializedUse,
                "size_t $idx; $int $sum#{ = 0#|#}; for ($idx = 0; $idx < $len; $idx++) $sum
                += $arr[$idx]; #N return $sum;",
            ),
        ],
    },
    Template {
        name: "largest",
        head: "$elem $fn(const $elem *$arr, size_t $len, $elem $max)",
        cases: &[
            swapped(
                OffByOne,
                "size_t $idx; for ($idx = 0; $idx #{<#|<=#} $len; $idx++) if ($max <
                $arr[$idx]) $max = $arr[$idx]; #N return $max;",
            ),
            swapped(
                InvertedCondition,
                "size_t $idx; for ($idx = 0; $idx #{<#|>#} $len; $idx++) if ($max <
                $arr[$idx]) $max = $arr[$idx]; #N return $max;",
            ),
        ],
    },
    Template {
        name: "remove-first",
        head: "void $fn($elem *$arr, size_t $len)",
        cases: &[swapped(
            OffByOne,
            "size_t $idx; for ($idx = 0; $idx#{ + 1#|#} < $len; $idx++) $arr[$idx] =
                $arr[$idx + 1]; stat_calls++; #N",
        )],
    },
    Template {
        name: "last-element",
        head: "int $fn(const $elem *$arr, size_t $len, $elem *$dst)",
        cases: &[
            moved(
                IntegerUnderflow,
                "if (`$len == 0~!$len~$len < 1`) return $error;",
                "#S *$dst = $arr[$len - 1]; #D stat_calls++; #N return 0;",
            ),
            swapped(
                OffByOne,
                "if (`$len == 0~!$len`) return $error; *$dst = $arr[$len#{ - 1#|#}]; #N
                return $len;",
            ),
        ],
    },
    Template {
        name: "reverse-sum",
        head: "$int $fn(const $elem *$arr, size_t $len)",
        cases: &[swapped(
            OffByOne,
            "size_t $idx; $int $sum = 0; for ($idx = $len; $idx > 0; $idx--) $sum +=
                $arr[$idx#{ - 1#|#}]; #N return $sum;",
        )],
    },
    Template {
        name: "count-down",
        head: "void $fn($elem *$dst, const $elem *$src, size_t $len)",
        cases: &[swapped(
            IntegerUnderflow,
            "stat_bytes += $len; while ($len-- #{>#|>=#} 0) *$dst++ = *$src++; stat_calls++; #N",
        )],
    },
    Template {
        name: "signed-copy",
        head: "int $fn(void *$dst, const void *$src, int $len, int $max)",
        cases: &[
            moved(
                SignError,
                "if (`$len < 0~0 > $len`) return $error;",
                "if ($len > $max) return $error; #S memcpy($dst, $src, $len); #D #N return $len;",
            ),
            swapped(
                SignError,
                "if ($len < 0 #{||#|&&#} $len > $max) return $error; memcpy($dst, $src,
                $len); #N return $len;",
            ),
        ],
    },
    Template {
        name: "copy-in-range",
        head: "int $fn(void *$dst, const void *$src, int $len, int $max)",
        cases: &[
            swapped(
                SignError,
                "if ($len > 0 #{&&#|||#} $len < $max) memcpy($dst, $src, $len); stat_bytes
                += $len; #N return 0;",
            ),
            swapped(
                SignError,
                "if ($len #{>#|<#} 0 && $len < $max) memcpy($dst, $src, $len); stat_bytes +=
                $len; #N return 0;",
            ),
        ],
    },
];
