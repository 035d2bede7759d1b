//! Functions that compute.

use super::super::DefectKind::{
    DivisionByZero, IntegerUnderflow, InvertedCondition, OperatorPrecedence, ShiftOutOfRange,
    SizeOverflow, UninitializedUse,
};
use super::{Template, moved, swapped};

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "average",
        head: "$int $fn(const $elem *$arr, size_t $len)",
        cases: &[
            moved(
                DivisionByZero,
                "if (`$len == 0~!$len`) return 0;",
                "size_t $idx; $int $sum = 0; for ($idx = 0; $idx < $len; $idx++) $sum +=
                $arr[$idx]; #S $sum = $sum / $len; #D #N return $sum;",
            ),
            swapped(
                UninitializedUse,
                "size_t $idx; $int $sum#{ = 0#|#}; if ($len == 0) return 0; for ($idx = 0;
                $idx < $len; $idx++) $sum += $arr[$idx]; return $sum / $len;",
            ),
        ],
    },
    Template {
        name: "ratio",
        head: "int $fn(int $val, int $max, int *$dst)",
        cases: &[
            moved(
                DivisionByZero,
                "if (`$max == 0~!$max~$max < 1`) return $error;",
                "#S *$dst = $val * $const / $max; #D stat_calls++; #N return 0;",
            ),
            swapped(
                DivisionByZero,
                "if ($max #{==#|!=#} 0) return $error; *$dst = $val / $max; stat_calls++; #N
                return 0;",
            ),
        ],
    },
    Template {
        name: "block-index",
        head: "int $fn($type *$obj, size_t $pos, size_t $len)",
        cases: &[moved(
            DivisionByZero,
            "if (`$len == 0~!$len`) return $error;",
            "size_t $num; #S $num = $pos `%~/` $len; #D $obj->$lenfield = $num; #N return 0;",
        )],
    },
    Template {
        name: "set-bit",
        head: "int $fn(uint32_t *$flags, unsigned int $pos)",
        cases: &[
            moved(
                ShiftOutOfRange,
                "if (`$pos >= 32~$pos > 31`) return $error;",
                "#S *$flags |= 1u << $pos; #D stat_calls++; #N return 0;",
            ),
            swapped(
                InvertedCondition,
                "if (32 #{<=#|>=#} $pos) return $error; *$flags |= 1u << $pos; stat_calls++;
                #N return 0;",
            ),
        ],
    },
    Template {
        name: "align-up",
        head: "void *$fn(size_t $len)",
        cases: &[swapped(
            OperatorPrecedence,
            "void *$ptr; size_t $num = #{($len + $align) & ~$align#|$len + ($align &
                ~$align)#}; if ($num < $len) return NULL; $ptr = $alloc($num); #N return
                $ptr;",
        )],
    },
    Template {
        name: "drop-reference",
        head: "int $fn($type *$obj)",
        cases: &[moved(
            IntegerUnderflow,
            "if (`$obj->$reffield == 0~!$obj->$reffield`) return $error;",
            "if (!$obj) return 0; #S stat_calls++; $obj->$reffield--; #D #N return $obj->$intfield;",
        )],
    },
    Template {
        name: "remaining-space",
        head: "size_t $fn($type *$obj, size_t $len, size_t $max)",
        cases: &[
            moved(
                IntegerUnderflow,
                "if (`$len > $max~$max < $len`) return 0;",
                "#S $obj->$lenfield = $max - $len; #D $obj->$intfield = 1; #N return $max;",
            ),
            swapped(
                IntegerUnderflow,
                "if ($len #{>#|<#} $max) return 0; $obj->$lenfield = $max - $len; #N return $max;",
            ),
        ],
    },
    Template {
        name: "advance-ring",
        head: "void $fn($type *$obj, unsigned char $val)",
        cases: &[swapped(
            OperatorPrecedence,
            "$obj->$datafield[$obj->head] = $val; $obj->head = #{($obj->head + 1) %
                $obj->size#|$obj->head + 1 % $obj->size#}; stat_bytes++; #N",
        )],
    },
    Template {
        name: "product-size",
        head: "int $fn($type *$obj, int $len, int $max)",
        cases: &[
            moved(
                SizeOverflow,
                "if ($len > INT_MAX / $max) return $error;",
                "int $num; if ($max < 1 || $len < 0) return $error; #S $num = $len * $max;
                #D $obj->$intfield = $num; #N return 0;",
            ),
            swapped(
                SizeOverflow,
                "int $num; if ($max < 1 || $len < 0) return $error; if ($len #{>#|<#}
                INT_MAX / $max) return $error; $num = $len * $max; $obj->$intfield = $num;
                #N return 0;",
            ),
        ],
    },
];
