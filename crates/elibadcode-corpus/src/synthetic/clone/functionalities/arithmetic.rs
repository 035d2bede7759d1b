//! Methods on whole numbers.

use super::{Family::Arithmetic, Functionality, functionality};

pub(super) const FUNCTIONALITIES: &[Functionality] = &[
    functionality(
        "greatest common divisor",
        Arithmetic,
        "gcd commonDivisor greatestCommonDivisor euclid",
        &[
            "int $fn(int $a, int $b) { #N while ($b != 0) { int $tmp = $a % $b; $a = $b; $b = $tmp; } return $a; }",
            "int $fn(int $a, int $b) { `return $b == 0 ? $a : $fn($b, $a % $b);~if ($b == 0) { return $a; } return $fn($b, $a % $b);`  }",
            "int $fn(int $a, int $b) { while ($a != $b) { if ($a > $b) { $a -= $b; } else { $b -= $a; } } #N return $a; }",
            "int $fn(int $a, int $b) { int $best = 1; #N for (int $i = 1; $i <= `$a && $i <= $b~Math.min($a, $b)`; $i++) { if ($a % $i == 0 && $b % $i == 0) { $best = $i; } } return $best; }",
            "long $fn(long $a, long $b) { #N return BigInteger.valueOf($a).gcd(BigInteger.valueOf($b)).longValue(); }",
        ],
    ),
    functionality(
        "least common multiple",
        Arithmetic,
        "lcm commonMultiple leastCommonMultiple smallestMultiple",
        &[
            "int $fn(int $a, int $b) { int $best = Math.max($a, $b); #N while ($best % $a != 0 || $best % $b != 0) { $best++; } return $best; }",
            "int $fn(int $a, int $b) { int $lo = $a; int $hi = $b; while ($hi != 0) { int $tmp = $lo % $hi; $lo = $hi; $hi = $tmp; } #N return $a / $lo * $b; }",
            "int $fn(int $a, int $b) { int $sum = $a; #N while ($sum % $b != 0) { $sum += $a; } return $sum; }",
            "long $fn(long $a, long $b) { BigInteger $lo = BigInteger.valueOf($a); BigInteger $hi = BigInteger.valueOf($b); #N return $lo.multiply($hi).divide($lo.gcd($hi)).longValue(); }",
        ],
    ),
    functionality(
        "factorial",
        Arithmetic,
        "factorial fact getFactorial permutations productUpTo",
        &[
            "long $fn(int $num) { if ($num < 0) { throw new IllegalArgumentException(\"`negative~must not be negative`\"); } long $out = 1; #N for (int $i = 2; $i <= $num; $i++) { $out *= $i; } return $out; }",
            "long $fn(int $num) { `return $num <= 1 ? 1 : $num * $fn($num - 1);~if ($num == 0) { return 1; } return $num * $fn($num - 1);` }",
            "long $fn(int $num) { #N return LongStream.rangeClosed(1, $num).reduce(1, ($a, $b) -> $a * $b); }",
            "BigInteger $fn(int $num) { BigInteger $out = BigInteger.ONE; #N while ($num > 1) { $out = $out.multiply(BigInteger.valueOf($num)); $num--; } return $out; }",
        ],
    ),
    functionality(
        "power",
        Arithmetic,
        "power pow raise exponentiate toThePower",
        &[
            "long $fn(long $base, int $exp) { long $out = 1; #N [for $i; 0; $exp] $out *= $base; [end] return $out; }",
            "long $fn(long $base, int $exp) { if ($exp == 0) return 1; return $base * $fn($base, $exp - 1); }",
            "long $fn(long $base, int $exp) { long $out = 1; while ($exp > 0) { if (`$exp % 2 == 1~($exp & 1) == 1`) { $out *= $base; } $base *= $base; $exp `/= 2~>>= 1`; } #N return $out; }",
            "double $fn(double $base, int $exp) { if ($exp == 0) { return 1; } double $mid = $fn($base, $exp / 2); #N return $exp % 2 == 0 ? $mid * $mid : $mid * $mid * $base; }",
            "double $fn(double $base, double $exp) { #N return `Math.pow($base, $exp)~Math.exp($exp * Math.log($base))`; }",
        ],
    ),
    functionality(
        "fibonacci number",
        Arithmetic,
        "fibonacci fib nthFibonacci fibonacciNumber getFib",
        &[
            "int $fn(int $num) { `return $num < 2 ? $num : $fn($num - 1) + $fn($num - 2);~if ($num <= 1) { return $num; } return $fn($num - 1) + $fn($num - 2);` }",
            "long $fn(int $num) { long $lo = 0; long $hi = 1; #N [for $i; 0; $num] long $tmp = $lo + $hi; $lo = $hi; $hi = $tmp; [end] return $lo; }",
            "long $fn(int $num) { long[] $out = new long[$num + 2]; $out[1] = 1; #N for (int $i = 2; $i <= $num; $i++) { $out[$i] = $out[$i - 1] + $out[$i - 2]; } return $out[$num]; }",
            "long $fn(int $num) { #N return Stream.iterate(new long[] {0, 1}, $arr -> new long[] {$arr[1], $arr[0] + $arr[1]}).limit($num + 1).reduce(($lo, $hi) -> $hi).get()[0]; }",
        ],
    ),
    functionality(
        "prime test",
        Arithmetic,
        "isPrime prime checkPrime testPrime primality",
        &[
            "boolean $fn(int $num) { if ($num < 2) { return false; } #N for (int $i = 2; `$i * $i <= $num~$i <= Math.sqrt($num)`; $i++) { if ($num % $i == 0) { return false; } } return true; }",
            "boolean $fn(int $num) { if ($num <= 1) return false; boolean $flag = true; int $i = 2; while ($i < $num && $flag) { if ($num % $i == 0) { $flag = false; } $i++; } #N return $flag; }",
            "boolean $fn(int $num) { #N return $num > 1 && IntStream.rangeClosed(2, (int) Math.sqrt($num)).`noneMatch($i -> $num % $i == 0)~allMatch($i -> $num % $i != 0)`; }",
            "boolean $fn(int $num) { int $count = 0; #N for (int $i = 1; $i <= $num; $i++) { if ($num % $i == 0) { $count++; } } return $count == 2; }",
            "boolean $fn(long $num) { #N return BigInteger.valueOf($num).isProbablePrime(`10~20~50`); }",
        ],
    ),
    functionality(
        "sum of digits",
        Arithmetic,
        "digitSum sumDigits crossSum sumOfDigits digitTotal",
        &[
            "int $fn(int $num) { int $sum = 0; #N while (`$num > 0~$num != 0`) { $sum += $num % 10; $num /= 10; } return $sum; }",
            "int $fn(int $num) { `return $num < 10 ? $num : $num % 10 + $fn($num / 10);~if ($num == 0) { return 0; } return $num % 10 + $fn($num / 10);` }",
            "int $fn(int $num) { int $sum = 0; #N [chars $c; String.valueOf($num)] $sum += `Character.getNumericValue($c)~$c - '0'`; [end] return $sum; }",
            "int $fn(int $num) { #N return `Integer.toString($num)~String.valueOf($num)`.chars().map(`$c -> $c - '0'~Character::getNumericValue`).sum(); }",
        ],
    ),
    functionality(
        "reversed digits",
        Arithmetic,
        "reverseDigits reverseNumber flipDigits mirrorNumber reversed",
        &[
            "int $fn(int $num) { int $out = 0; #N while (`$num > 0~$num != 0`) { $out = $out * 10 + $num % 10; $num /= 10; } return $out; }",
            "int $fn(int $num) { #N return Integer.parseInt(new StringBuilder(`String.valueOf($num)~Integer.toString($num)`).reverse().toString()); }",
            "int $fn(int $num, int $sum) { if ($num == 0) { return $sum; } return $fn($num / 10, $sum * 10 + $num % 10); }",
            "int $fn(int $num) { String $s = \"\"; #N [chars $c; Integer.toString($num)] $s = $c + $s; [end] return Integer.parseInt($s); }",
        ],
    ),
    functionality(
        "leap year",
        Arithmetic,
        "isLeapYear leap checkLeapYear hasLeapDay",
        &[
            "boolean $fn(int $num) { #N return `($num % 4 == 0 && $num % 100 != 0) || $num % 400 == 0~$num % 400 == 0 || ($num % 100 != 0 && $num % 4 == 0)`; }",
            "boolean $fn(int $num) { if ($num % 400 == 0) { return true; } if ($num % 100 == 0) { return false; } #N return $num % 4 == 0; }",
            "boolean $fn(int $num) { boolean $flag = false; if ($num % 4 == 0) { if ($num % 100 == 0) { if ($num % 400 == 0) { $flag = true; } } else { $flag = true; } } #N return $flag; }",
            "boolean $fn(int $num) { #N return `Year.isLeap($num)~Year.of($num).isLeap()~LocalDate.of($num, 1, 1).isLeapYear()`; }",
            "boolean $fn(int $num) { #N return new GregorianCalendar().isLeapYear($num); }",
        ],
    ),
    functionality(
        "binary representation",
        Arithmetic,
        "toBinary binary binaryString convertToBinary bits",
        &[
            "String $fn(int $num) { if ($num == 0) { return \"0\"; } String $s = \"\"; #N while ($num > 0) { $s = $num % 2 + $s; $num `/= 2~>>= 1`; } return $s; }",
            "String $fn(int $num) { StringBuilder $sb = new StringBuilder(); #N do { $sb.append($num % 2); $num = $num / 2; } while ($num > 0); return $sb.reverse().toString(); }",
            "String $fn(int $num) { `return $num < 2 ? String.valueOf($num) : $fn($num / 2) + $num % 2;~if ($num <= 1) { return \"\" + $num; } return $fn($num / 2) + ($num % 2);` }",
            "String $fn(int $num) { #N return `Integer.toBinaryString($num)~Integer.toString($num, 2)`; }",
            "String $fn(int $num) { Deque<Integer> $stack = new ArrayDeque<>(); while ($num > 0) { $stack.push($num & 1); $num >>= 1; } StringBuilder $sb = new StringBuilder(); #N while (!$stack.isEmpty()) { $sb.append($stack.pop()); } return $sb.length() == 0 ? \"0\" : $sb.toString(); }",
        ],
    ),
    functionality(
        "collatz steps",
        Arithmetic,
        "collatz collatzSteps stepsToOne hailstone",
        &[
            "int $fn(long $num) { int $count = 0; #N while ($num != 1) { if ($num % 2 == 0) { $num /= 2; } else { $num = 3 * $num + 1; } $count++; } return $count; }",
            "int $fn(long $num) { if ($num == 1) { return 0; } return 1 + $fn($num % 2 == 0 ? $num / 2 : 3 * $num + 1); }",
            "int $fn(long $num) { int $count = 0; #N for (long $val = $num; $val > 1; $count++) { $val = ($val & 1) == 0 ? $val >> 1 : $val * 3 + 1; } return $count; }",
            "long $fn(long $num) { #N return LongStream.iterate($num, $val -> $val != 1, $val -> $val % 2 == 0 ? $val / 2 : $val * 3 + 1).count(); }",
        ],
    ),
];
