//! Methods that order, search and rearrange arrays.

use super::{Family::Arrays, Functionality, functionality};

pub(super) const FUNCTIONALITIES: &[Functionality] = &[
    functionality(
        "reverse an array",
        Arrays,
        "reverse flip invert reverseArray mirror",
        &[
            "void $fn(int[] $arr) { #G(arr) int $lo = 0; int $hi = $arr.length - 1; #N while ($lo < $hi) { int $tmp = $arr[$lo]; $arr[$lo] = $arr[$hi]; $arr[$hi] = $tmp; $lo++; $hi--; } }",
            "int[] $fn(int[] $arr) { #G(arr) int[] $out = new int[$arr.length]; #N [for $i; 0; $arr.length] `$out[$arr.length - 1 - $i] = $arr[$i]~$out[$i] = $arr[$arr.length - $i - 1]`; [end] return $out; }",
            "void $fn(int[] $arr, int $lo, int $hi) { if ($lo >= $hi) return; int $tmp = $arr[$lo]; $arr[$lo] = $arr[$hi]; $arr[$hi] = $tmp; $fn($arr, $lo + 1, $hi - 1); }",
            "int[] $fn(int[] $arr) { #N return IntStream.range(0, $arr.length).map($i -> $arr[$arr.length - 1 - $i]).toArray(); }",
            "Integer[] $fn(Integer[] $arr) { List<Integer> $list = `Arrays.asList($arr.clone())~new ArrayList<>(Arrays.asList($arr))`; Collections.reverse($list); #N return $list.toArray(new Integer[0]); }",
        ],
    ),
    functionality(
        "sort ascending",
        Arrays,
        "sort order arrange sortAscending sortArray",
        &[
            "void $fn(int[] $arr) { #G(arr) #N [for $i; 0; $arr.length - 1] for (int $j = 0; $j < $arr.length - 1 - $i; $j++) { if (`$arr[$j] > $arr[$j + 1]~$arr[$j + 1] < $arr[$j]`) { int $tmp = $arr[$j]; $arr[$j] = $arr[$j + 1]; $arr[$j + 1] = $tmp; } } [end] }",
            "void $fn(int[] $arr) { #N [for $i; 1; $arr.length] int $key = $arr[$i]; int $j = $i - 1; while ($j >= 0 && $arr[$j] > $key) { $arr[$j + 1] = $arr[$j]; $j--; } $arr[$j + 1] = $key; [end] }",
            "void $fn(int[] $arr) { #G(arr) [for $i; 0; $arr.length - 1] int $best = $i; for (int $j = $i + 1; $j < $arr.length; $j++) { if ($arr[$j] < $arr[$best]) { $best = $j; } } int $tmp = $arr[$i]; $arr[$i] = $arr[$best]; $arr[$best] = $tmp; [end] #N }",
            "void $fn(int[] $arr, int $lo, int $hi) { if ($lo >= $hi) return; int $mid = $arr[$hi]; int $i = $lo; for (int $j = $lo; $j < $hi; $j++) { if ($arr[$j] < $mid) { int $tmp = $arr[$i]; $arr[$i] = $arr[$j]; $arr[$j] = $tmp; $i++; } } $arr[$hi] = $arr[$i]; $arr[$i] = $mid; $fn($arr, $lo, $i - 1); $fn($arr, $i + 1, $hi); }",
            "int[] $fn(int[] $arr) { #G(arr) int[] $out = `$arr.clone()~Arrays.copyOf($arr, $arr.length)`; Arrays.sort($out); #N return $out; }",
            "void $fn(int[] $arr) { boolean $flag; do { $flag = false; [for $i; 1; $arr.length] if ($arr[$i - 1] > $arr[$i]) { int $tmp = $arr[$i]; $arr[$i] = $arr[$i - 1]; $arr[$i - 1] = $tmp; $flag = true; } [end] } while ($flag); #N }",
        ],
    ),
    functionality(
        "merge sorted arrays",
        Arrays,
        "merge mergeSorted combine mergeArrays joinSorted",
        &[
            "int[] $fn(int[] $arr, int[] $brr) { int[] $out = new int[$arr.length + $brr.length]; int $i = 0; int $j = 0; int $l = 0; #N while ($i < $arr.length && $j < $brr.length) { if ($arr[$i] <= $brr[$j]) { $out[$l++] = $arr[$i++]; } else { $out[$l++] = $brr[$j++]; } } while ($i < $arr.length) { $out[$l++] = $arr[$i++]; } while ($j < $brr.length) { $out[$l++] = $brr[$j++]; } return $out; }",
            "int[] $fn(int[] $arr, int[] $brr) { int[] $out = new int[$arr.length + $brr.length]; int $i = 0; int $j = 0; [for $l; 0; $out.length] if ($j >= $brr.length || ($i < $arr.length && $arr[$i] < $brr[$j])) { $out[$l] = $arr[$i++]; } else { $out[$l] = $brr[$j++]; } [end] #N return $out; }",
            "int[] $fn(int[] $arr, int[] $brr) { #N return IntStream.concat(`Arrays.stream($arr), Arrays.stream($brr)~IntStream.of($arr), IntStream.of($brr)`).sorted().toArray(); }",
            "List<Integer> $fn(List<Integer> $list, List<Integer> $list2) { Deque<Integer> $a = new ArrayDeque<>($list); Deque<Integer> $b = new ArrayDeque<>($list2); List<Integer> $out = new ArrayList<>(); #N while (!$a.isEmpty() || !$b.isEmpty()) { if ($b.isEmpty() || (!$a.isEmpty() && $a.peek() <= $b.peek())) { $out.add($a.poll()); } else { $out.add($b.poll()); } } return $out; }",
        ],
    ),
    functionality(
        "remove duplicates",
        Arrays,
        "removeDuplicates unique distinct dedupe uniqueValues",
        &[
            "int[] $fn(int[] $arr) { Set<Integer> $set = new `LinkedHashSet~LinkedHashSet`<>(); [each int $val; $arr] $set.add($val); [end] int[] $out = new int[$set.size()]; int $i = 0; #N for (int $tmp : $set) { $out[$i++] = $tmp; } return $out; }",
            "int[] $fn(int[] $arr) { #G(arr) #N return `Arrays.stream($arr)~IntStream.of($arr)`.distinct().toArray(); }",
            "List<Integer> $fn(List<Integer> $list) { List<Integer> $out = new ArrayList<>(); #N [list Integer $val; $list] if (!$out.contains($val)) { $out.add($val); } [end] return $out; }",
            "List<String> $fn(List<String> $list) { #G(list) #N return `new ArrayList<>(new LinkedHashSet<>($list))~$list.stream().distinct().collect(Collectors.toList())`; }",
            "int $fn(int[] $arr) { if ($arr.length == 0) { return 0; } int $j = 0; [for $i; 1; $arr.length] if ($arr[$i] != $arr[$j]) { $j++; $arr[$j] = $arr[$i]; } [end] #N return $j + 1; }",
        ],
    ),
    functionality(
        "binary search",
        Arrays,
        "search binarySearch find lookup locate bisect",
        &[
            "int $fn(int[] $arr, int $key) { int $lo = 0; int $hi = $arr.length - 1; #N while ($lo <= $hi) { int $mid = `($lo + $hi) / 2~$lo + ($hi - $lo) / 2~($lo + $hi) >>> 1`; if ($arr[$mid] == $key) { return $mid; } else if ($arr[$mid] < $key) { $lo = $mid + 1; } else { $hi = $mid - 1; } } return -1; }",
            "int $fn(int[] $arr, int $key, int $lo, int $hi) { if ($lo > $hi) { return -1; } int $mid = `($lo + $hi) / 2~$lo + ($hi - $lo) / 2`; if ($arr[$mid] == $key) return $mid; if ($arr[$mid] > $key) return $fn($arr, $key, $lo, $mid - 1); return $fn($arr, $key, $mid + 1, $hi); }",
            "int $fn(int[] $arr, int $key) { #N int $i = Arrays.binarySearch($arr, $key); return $i < 0 ? -1 : $i; }",
            "int $fn(List<Integer> $list, int $key) { int $lo = 0; int $hi = $list.size(); #N while ($lo < $hi) { int $mid = ($lo + $hi) >>> 1; if ($list.get($mid) < $key) { $lo = $mid + 1; } else { $hi = $mid; } } return $lo < $list.size() && $list.get($lo) == $key ? $lo : -1; }",
        ],
    ),
    functionality(
        "linear search",
        Arrays,
        "search indexOf find position locate firstIndex",
        &[
            "int $fn(int[] $arr, int $key) { #G(arr) #N [for $i; 0; $arr.length] if ($arr[$i] == $key) { return $i; } [end] return -1; }",
            "int $fn(String[] $arr, String $key) { int $out = -1; #N for (int $i = 0; $i < $arr.length && $out < 0; $i++) { if (`$arr[$i].equals($key)~$key.equals($arr[$i])`) { $out = $i; } } return $out; }",
            "int $fn(int[] $arr, int $key, int $i) { if ($i >= $arr.length) { return -1; } return $arr[$i] == $key ? $i : $fn($arr, $key, $i + 1); }",
            "int $fn(int[] $arr, int $key) { #N return IntStream.range(0, $arr.length).filter($i -> $arr[$i] == $key).findFirst().orElse(-1); }",
            "int $fn(String[] $arr, String $key) { #N return Arrays.asList($arr).indexOf($key); }",
        ],
    ),
    functionality(
        "maximum subarray",
        Arrays,
        "maxSubarray kadane bestSum largestSum maxSum",
        &[
            "int $fn(int[] $arr) { int $best = $arr[0]; int $cur = $arr[0]; #N [for $i; 1; $arr.length] $cur = Math.max($arr[$i], $cur + $arr[$i]); $best = Math.max($best, $cur); [end] return $best; }",
            "int $fn(int[] $arr) { int $best = Integer.MIN_VALUE; #N [for $i; 0; $arr.length] int $sum = 0; for (int $j = $i; $j < $arr.length; $j++) { $sum += $arr[$j]; if ($sum > $best) { $best = $sum; } } [end] return $best; }",
            "int $fn(int[] $arr) { int $sum = 0; int $best = Integer.MIN_VALUE; [each int $val; $arr] $sum += $val; if ($sum > $best) { $best = $sum; } if ($sum < 0) { $sum = 0; } [end] #N return $best; }",
            "int $fn(int[] $arr) { int $sum = 0; int $lo = 0; int $best = $arr[0]; #N [each int $val; $arr] $sum += $val; $best = Math.max($best, $sum - $lo); $lo = Math.min($lo, $sum); [end] return $best; }",
        ],
    ),
    functionality(
        "sortedness test",
        Arrays,
        "isSorted sorted checkOrder inOrder isAscending",
        &[
            "boolean $fn(int[] $arr) { #G(arr) #N [for $i; 1; $arr.length] if (`$arr[$i - 1] > $arr[$i]~$arr[$i] < $arr[$i - 1]`) { return false; } [end] return true; }",
            "boolean $fn(int[] $arr, int $n) { `if ($n < 2) { return true; } return $arr[$n - 2] <= $arr[$n - 1] && $fn($arr, $n - 1);~return $n <= 1 || ($arr[$n - 1] >= $arr[$n - 2] && $fn($arr, $n - 1));` }",
            "boolean $fn(int[] $arr) { #N return IntStream.range(1, $arr.length).`allMatch($i -> $arr[$i - 1] <= $arr[$i])~noneMatch($i -> $arr[$i - 1] > $arr[$i])`; }",
            "boolean $fn(int[] $arr) { int[] $out = $arr.clone(); Arrays.sort($out); #N return Arrays.equals($arr, $out); }",
        ],
    ),
    functionality(
        "rotate an array",
        Arrays,
        "rotate shift rotateLeft cycle shiftLeft",
        &[
            "int[] $fn(int[] $arr, int $k) { int $n = $arr.length; int[] $out = new int[$n]; #N [for $i; 0; $n] `$out[$i] = $arr[($i + $k) % $n]~$out[($i + $n - $k) % $n] = $arr[$i]`; [end] return $out; }",
            "void $fn(int[] $arr, int $k) { #N [for $i; 0; $k] int $tmp = $arr[0]; for (int $j = 1; $j < $arr.length; $j++) { $arr[$j - 1] = $arr[$j]; } $arr[$arr.length - 1] = $tmp; [end] }",
            "void $fn(List<Integer> $list, int $k) { #G(list) #N Collections.rotate($list, -$k); }",
            "int[] $fn(int[] $arr, int $k) { int[] $out = new int[$arr.length]; #N System.arraycopy($arr, $k, $out, 0, $arr.length - $k); System.arraycopy($arr, 0, $out, $arr.length - $k, $k); return $out; }",
        ],
    ),
    functionality(
        "pair with a given sum",
        Arrays,
        "twoSum findPair pairWithSum hasPair sumPair",
        &[
            "int[] $fn(int[] $arr, int $key) { #N [for $i; 0; $arr.length] for (int $j = $i + 1; $j < $arr.length; $j++) { if ($arr[$i] + $arr[$j] == $key) { return new int[] {$i, $j}; } } [end] return null; }",
            "int[] $fn(int[] $arr, int $key) { Map<Integer, Integer> $map = new HashMap<>(); [for $i; 0; $arr.length] Integer $j = $map.get($key - $arr[$i]); if ($j != null) { return new int[] {$j, $i}; } $map.put($arr[$i], $i); [end] #N return new int[0]; }",
            "boolean $fn(int[] $arr, int $key) { Arrays.sort($arr); int $lo = 0; int $hi = $arr.length - 1; #N while ($lo < $hi) { int $sum = $arr[$lo] + $arr[$hi]; if ($sum == $key) { return true; } if ($sum < $key) { $lo++; } else { $hi--; } } return false; }",
            "boolean $fn(int[] $arr, int $key) { Set<Integer> $set = new HashSet<>(); #N [each int $val; $arr] if ($set.contains($key - $val)) { return true; } $set.add($val); [end] return false; }",
        ],
    ),
];
