//! Methods that reduce arrays of numbers to one number, or map them one by one.

use super::{Family::Aggregates, Functionality, functionality};

pub(super) const FUNCTIONALITIES: &[Functionality] = &[
    functionality(
        "sum of an array",
        Aggregates,
        "sum total sumArray addAll getTotal sumUp",
        &[
            "int $fn(int[] $arr) { #G(arr) int $sum = 0; #N [each int $val; $arr] `$sum += $val~$sum = $sum + $val`; [end] return $sum; }",
            "int $fn(int[] $arr, int $n) { if (`$n <= 0~$n < 1`) { return 0; } return $fn($arr, $n - 1) + $arr[$n - 1]; }",
            "int $fn(int[] $arr) { #G(arr) #N return `IntStream.of($arr)~Arrays.stream($arr)`.`sum()~reduce(0, Integer::sum)~reduce(0, ($a, $b) -> $a + $b)`; }",
            "long $fn(List<Integer> $list) { #G(list) long $sum = 0; [list Integer $val; $list] $sum += $val; [end] #N return $sum; }",
            "int $fn(int[] $arr) { int $sum = 0; int $i = $arr.length - 1; #N while ($i >= 0) { $sum += $arr[$i]; $i--; } return $sum; }",
        ],
    ),
    functionality(
        "average of an array",
        Aggregates,
        "average mean avg getAverage arithmeticMean",
        &[
            "double $fn(double[] $arr) { #G(arr) double $sum = `0~0.0`; [each double $val; $arr] $sum += $val; [end] #N return $sum / $arr.length; }",
            "double $fn(int[] $arr) { if ($arr.length == 0) { return 0; } #N int $sum = 0; [for $i; 0; $arr.length] $sum = $sum + $arr[$i]; [end] return (double) $sum / $arr.length; }",
            "double $fn(int[] $arr) { #N return `Arrays.stream($arr)~IntStream.of($arr)`.average().`orElse(0)~orElse(Double.NaN)~getAsDouble()`; }",
            "double $fn(List<Double> $list) { double $best = 0; int $count = 0; [list Double $val; $list] $count++; $best += ($val - $best) / $count; [end] #N return $best; }",
        ],
    ),
    functionality(
        "largest element",
        Aggregates,
        "max maximum largest findMax getMaximum biggest",
        &[
            "int $fn(int[] $arr) { #G(arr) int $best = $arr[0]; #N [for $i; 1; $arr.length] if (`$arr[$i] > $best~$best < $arr[$i]`) { $best = $arr[$i]; } [end] return $best; }",
            "int $fn(int[] $arr) { int $best = Integer.MIN_VALUE; [each int $val; $arr] $best = Math.max($best, $val); [end] #N return $best; }",
            "int $fn(int[] $arr, int $n) { if ($n == 1) return $arr[0]; return Math.max($fn($arr, $n - 1), $arr[$n - 1]); }",
            "int $fn(int[] $arr) { #G(arr) return `Arrays.stream($arr)~IntStream.of($arr)`.max().`getAsInt()~orElseThrow()`; }",
            "double $fn(double[] $arr) { #G(arr) double[] $out = $arr.clone(); #N Arrays.sort($out); return $out[$out.length - 1]; }",
        ],
    ),
    functionality(
        "smallest element",
        Aggregates,
        "min minimum smallest findMin lowest getMinimum",
        &[
            "int $fn(int[] $arr) { #G(arr) int $best = $arr[0]; #N [for $i; 1; $arr.length] if (`$arr[$i] < $best~$best > $arr[$i]`) { $best = $arr[$i]; } [end] return $best; }",
            "int $fn(int[] $arr) { int $best = Integer.MAX_VALUE; [each int $val; $arr] $best = Math.min($best, $val); [end] #N return $best; }",
            "int $fn(int[] $arr) { #G(arr) return `Arrays.stream($arr)~IntStream.of($arr)`.min().`getAsInt()~orElseThrow()`; }",
            "double $fn(double[] $arr) { #G(arr) double[] $out = $arr.clone(); #N Arrays.sort($out); return $out[0]; }",
            "int $fn(int[] $arr, int $i) { if ($i == $arr.length - 1) { return $arr[$i]; } int $best = $fn($arr, $i + 1); return $arr[$i] < $best ? $arr[$i] : $best; }",
        ],
    ),
    functionality(
        "dot product",
        Aggregates,
        "dot dotProduct innerProduct scalarProduct multiplyVectors",
        &[
            "double $fn(double[] $arr, double[] $brr) { #G(arr) #G(brr) double $sum = 0; #N [for $i; 0; $arr.length] $sum += $arr[$i] * $brr[$i]; [end] return $sum; }",
            "int $fn(int[] $arr, int[] $brr) { if ($arr.length != $brr.length) { throw new IllegalArgumentException(\"`length~size~dimension` mismatch\"); } int $sum = 0; [for $i; 0; $brr.length] $sum = $sum + $brr[$i] * $arr[$i]; [end] #N return $sum; }",
            "double $fn(double[] $arr, double[] $brr) { #N return IntStream.range(0, $arr.length).mapToDouble($i -> $arr[$i] * $brr[$i]).sum(); }",
            "double $fn(List<Double> $list, List<Double> $list2) { double $sum = 0; Iterator<Double> $it = $list2.iterator(); for (Double $val : $list) { $sum += $val * $it.next(); } #N return $sum; }",
        ],
    ),
    functionality(
        "moving average",
        Aggregates,
        "movingAverage smooth rollingMean slidingMean runningAverage",
        &[
            "double[] $fn(double[] $arr, int $k) { #G(arr) double[] $out = new double[$arr.length - $k + 1]; #N [for $i; 0; $out.length] double $sum = 0; for (int $j = $i; $j < $i + $k; $j++) { $sum += $arr[$j]; } $out[$i] = $sum / $k; [end] return $out; }",
            "double[] $fn(int[] $arr, int $k) { double[] $out = new double[$arr.length - $k + 1]; double $sum = 0; for (int $i = 0; $i < $arr.length; $i++) { $sum += $arr[$i]; if ($i >= $k) { $sum -= $arr[$i - $k]; } if ($i >= $k - 1) { $out[$i - $k + 1] = $sum / $k; } } #N return $out; }",
            "List<Double> $fn(List<Double> $list, int $k) { Deque<Double> $stack = new ArrayDeque<>(); List<Double> $out = new ArrayList<>(); double $sum = 0; #N [list Double $val; $list] $stack.addLast($val); $sum += $val; if ($stack.size() > $k) { $sum -= $stack.removeFirst(); } $out.add($sum / $stack.size()); [end] return $out; }",
            "double[] $fn(double[] $arr, int $k) { #N return IntStream.rangeClosed(0, $arr.length - $k).mapToDouble($i -> Arrays.stream($arr, $i, $i + $k).average().orElse(0)).toArray(); }",
        ],
    ),
    functionality(
        "clamp values",
        Aggregates,
        "clamp limit clip restrict bound toRange",
        &[
            "int[] $fn(int[] $arr, int $lo, int $hi) { #G(arr) int[] $out = new int[$arr.length]; #N [for $i; 0; $arr.length] if ($arr[$i] < $lo) { $out[$i] = $lo; } else if ($arr[$i] > $hi) { $out[$i] = $hi; } else { $out[$i] = $arr[$i]; } [end] return $out; }",
            "void $fn(double[] $arr, double $lo, double $hi) { #G(arr) [for $i; 0; $arr.length] $arr[$i] = `Math.max($lo, Math.min($hi, $arr[$i]))~Math.min($hi, Math.max($lo, $arr[$i]))`; [end] #N }",
            "int[] $fn(int[] $arr, int $lo, int $hi) { #N return Arrays.stream($arr).map($val -> `Math.max($lo, Math.min($hi, $val))~$val < $lo ? $lo : Math.min($val, $hi)`).toArray(); }",
            "List<Integer> $fn(List<Integer> $list, int $lo, int $hi) { List<Integer> $out = new ArrayList<>(); [list Integer $val; $list] $out.add($val < $lo ? $lo : $val > $hi ? $hi : $val); [end] #N return $out; }",
        ],
    ),
    functionality(
        "variance",
        Aggregates,
        "variance spread getVariance computeVariance dispersion",
        &[
            "double $fn(double[] $arr) { #G(arr) double $sum = 0; [each double $val; $arr] $sum += $val; [end] double $mid = $sum / $arr.length; double $best = 0; #N for (double $tmp : $arr) { $best += ($tmp - $mid) * ($tmp - $mid); } return $best / $arr.length; }",
            "double $fn(int[] $arr) { double $sum = 0; double $best = 0; #N [for $i; 0; $arr.length] $sum += $arr[$i]; $best += (double) $arr[$i] * $arr[$i]; [end] double $mid = $sum / $arr.length; return $best / $arr.length - $mid * $mid; }",
            "double $fn(double[] $arr) { double $mid = Arrays.stream($arr).average().orElse(0); #N return Arrays.stream($arr).map($val -> Math.pow($val - $mid, 2)).average().orElse(0); }",
            "double $fn(List<Double> $list) { double $mid = 0; double $sum = 0; int $count = 0; [list Double $val; $list] $count++; double $tmp = $val - $mid; $mid += $tmp / $count; $sum += $tmp * ($val - $mid); [end] #N return $sum / $count; }",
        ],
    ),
    functionality(
        "prefix sums",
        Aggregates,
        "prefixSums cumulative cumulativeSum runningTotals accumulate",
        &[
            "int[] $fn(int[] $arr) { #G(arr) int[] $out = new int[$arr.length]; int $sum = 0; #N [for $i; 0; $arr.length] $sum += $arr[$i]; $out[$i] = $sum; [end] return $out; }",
            "void $fn(int[] $arr) { #G(arr) [for $i; 1; $arr.length] `$arr[$i] += $arr[$i - 1]~$arr[$i] = $arr[$i] + $arr[$i - 1]`; [end] #N }",
            "int[] $fn(int[] $arr) { int[] $out = $arr.clone(); #N Arrays.parallelPrefix($out, `Integer::sum~($a, $b) -> $a + $b`); return $out; }",
            "List<Long> $fn(List<Integer> $list) { List<Long> $out = new ArrayList<>(); long $sum = 0; [list Integer $val; $list] $sum += $val; $out.add($sum); [end] #N return $out; }",
        ],
    ),
];
