//! Methods on matrices, lists and maps.

use super::{Family::Collections, Family::Matrices, Functionality, functionality};

pub(super) const FUNCTIONALITIES: &[Functionality] = &[
    functionality(
        "transpose a matrix",
        Matrices,
        "transpose flip swapAxes turn rowsToColumns",
        &[
            "int[][] $fn(int[][] $mat) { #G(mat) int[][] $out = new int[$mat[0].length][$mat.length]; #N [for $i; 0; $mat.length] [for $j; 0; $mat[$i].length] $out[$j][$i] = $mat[$i][$j]; [end] [end] return $out; }",
            "void $fn(double[][] $mat) { #N [for $i; 0; $mat.length] for (int $j = $i + 1; $j < $mat.length; $j++) { double $tmp = $mat[$i][$j]; $mat[$i][$j] = $mat[$j][$i]; $mat[$j][$i] = $tmp; } [end] }",
            "int[][] $fn(int[][] $mat) { #N return IntStream.range(0, $mat[0].length).mapToObj($j -> Arrays.stream($mat).mapToInt($val -> $val[$j]).toArray()).toArray(int[][]::new); }",
        ],
    ),
    functionality(
        "multiply matrices",
        Matrices,
        "multiply product times matMul matrixProduct",
        &[
            "int[][] $fn(int[][] $mat, int[][] $brr) { int[][] $out = new int[$mat.length][$brr[0].length]; #N [for $i; 0; $mat.length] [for $j; 0; $brr[0].length] for (int $l = 0; $l < $brr.length; $l++) { $out[$i][$j] += $mat[$i][$l] * $brr[$l][$j]; } [end] [end] return $out; }",
            "double[][] $fn(double[][] $mat, double[][] $brr) { int $n = $mat.length; int $m = $brr[0].length; double[][] $out = new double[$n][$m]; #N [for $i; 0; $n] [for $j; 0; $m] double $sum = 0; for (int $l = 0; $l < $brr.length; $l++) { $sum += $mat[$i][$l] * $brr[$l][$j]; } $out[$i][$j] = $sum; [end] [end] return $out; }",
            "double[][] $fn(double[][] $mat, double[][] $brr) { #N return Arrays.stream($mat).map($val -> IntStream.range(0, $brr[0].length).mapToDouble($j -> IntStream.range(0, $brr.length).mapToDouble($l -> $val[$l] * $brr[$l][$j]).sum()).toArray()).toArray(double[][]::new); }",
        ],
    ),
    functionality(
        "trace of a matrix",
        Matrices,
        "trace diagonalSum sumDiagonal mainDiagonal",
        &[
            "int $fn(int[][] $mat) { int $sum = 0; #N [for $i; 0; $mat.length] $sum += $mat[$i][$i]; [end] return $sum; }",
            "double $fn(double[][] $mat) { double $sum = 0; #N [for $i; 0; $mat.length] [for $j; 0; $mat[$i].length] if ($i == $j) { $sum += $mat[$i][$j]; } [end] [end] return $sum; }",
            "int $fn(int[][] $mat) { #N return IntStream.range(0, $mat.length).map($i -> $mat[$i][$i]).sum(); }",
            "int $fn(int[][] $mat, int $i) { if ($i == $mat.length) { return 0; } return $mat[$i][$i] + $fn($mat, $i + 1); }",
        ],
    ),
    functionality(
        "row sums",
        Matrices,
        "rowSums sumRows totals rowTotals perRow",
        &[
            "int[] $fn(int[][] $mat) { int[] $out = new int[$mat.length]; #N [for $i; 0; $mat.length] [for $j; 0; $mat[$i].length] $out[$i] += $mat[$i][$j]; [end] [end] return $out; }",
            "double[] $fn(double[][] $mat) { double[] $out = new double[$mat.length]; int $i = 0; for (double[] $arr : $mat) { double $sum = 0; for (double $val : $arr) { $sum += $val; } $out[$i++] = $sum; } #N return $out; }",
            "int[] $fn(int[][] $mat) { #N return Arrays.stream($mat).mapToInt($arr -> `Arrays.stream($arr).sum()~IntStream.of($arr).sum()`).toArray(); }",
        ],
    ),
    functionality(
        "identity matrix",
        Matrices,
        "identity unitMatrix eye identityMatrix",
        &[
            "double[][] $fn(int $n) { double[][] $mat = new double[$n][$n]; #N [for $i; 0; $n] $mat[$i][$i] = `1~1.0`; [end] return $mat; }",
            "int[][] $fn(int $n) { int[][] $mat = new int[$n][$n]; #N [for $i; 0; $n] [for $j; 0; $n] `$mat[$i][$j] = $i == $j ? 1 : 0;~if ($i == $j) { $mat[$i][$j] = 1; } else { $mat[$i][$j] = 0; }` [end] [end] return $mat; }",
            "int[][] $fn(int $n) { #N return IntStream.range(0, $n).mapToObj($i -> IntStream.range(0, $n).map($j -> $i == $j ? 1 : 0).toArray()).toArray(int[][]::new); }",
        ],
    ),
    functionality(
        "histogram of values",
        Collections,
        "histogram frequencies countValues tally occurrences",
        &[
            "Map<String, Integer> $fn(List<String> $list) { Map<String, Integer> $map = new `HashMap~TreeMap`<>(); #N [list String $word; $list] `$map.put($word, $map.getOrDefault($word, 0) + 1);~$map.merge($word, 1, Integer::sum);` [end] return $map; }",
            "Map<String, Integer> $fn(String[] $list) { Map<String, Integer> $map = new HashMap<String, Integer>(); [each String $word; $list] if ($map.containsKey($word)) { $map.put($word, $map.get($word) + 1); } else { $map.put($word, 1); } [end] #N return $map; }",
            "Map<String, Long> $fn(List<String> $list) { #N return $list.stream().collect(Collectors.groupingBy(`Function.identity()~$word -> $word`, Collectors.counting())); }",
            "int[] $fn(int[] $arr, int $k) { int[] $out = new int[$k]; #N [each int $val; $arr] $out[$val]++; [end] return $out; }",
        ],
    ),
    functionality(
        "group by length",
        Collections,
        "groupByLength byLength bucketWords groupWords",
        &[
            "Map<Integer, List<String>> $fn(List<String> $list) { Map<Integer, List<String>> $map = new `HashMap~TreeMap`<>(); #N [list String $word; $list] $map.computeIfAbsent($word.length(), $k -> new ArrayList<>()).add($word); [end] return $map; }",
            "Map<Integer, List<String>> $fn(String[] $list) { Map<Integer, List<String>> $map = new HashMap<>(); [each String $word; $list] List<String> $out = $map.get($word.length()); if ($out == null) { $out = new ArrayList<>(); $map.put($word.length(), $out); } $out.add($word); [end] #N return $map; }",
            "Map<Integer, List<String>> $fn(List<String> $list) { #N return $list.stream().collect(Collectors.groupingBy(String::length)); }",
        ],
    ),
    functionality(
        "invert a map",
        Collections,
        "invert swapKeys inverse flip reverseMap",
        &[
            "Map<String, String> $fn(Map<String, String> $map) { Map<String, String> $out = new HashMap<>(); #N for (Map.Entry<String, String> $val : $map.entrySet()) { $out.put($val.getValue(), $val.getKey()); } return $out; }",
            "Map<Integer, String> $fn(Map<String, Integer> $map) { Map<Integer, String> $out = new TreeMap<>(); for (String $key : $map.keySet()) { $out.put($map.get($key), $key); } #N return $out; }",
            "Map<String, String> $fn(Map<String, String> $map) { #N return $map.entrySet().stream().collect(Collectors.toMap(Map.Entry::getValue, Map.Entry::getKey)); }",
            "Map<String, String> $fn(Map<String, String> $map) { Map<String, String> $out = new HashMap<>(); #N $map.forEach(($key, $val) -> $out.put($val, $key)); return $out; }",
        ],
    ),
    functionality(
        "intersect lists",
        Collections,
        "intersect intersection common commonElements shared",
        &[
            "List<String> $fn(List<String> $list, List<String> $list2) { List<String> $out = new ArrayList<>(); #N [list String $word; $list] if ($list2.contains($word)) { $out.add($word); } [end] return $out; }",
            "Set<String> $fn(Set<String> $list, Set<String> $list2) { Set<String> $out = new HashSet<>($list); $out.retainAll($list2); #N return $out; }",
            "List<Integer> $fn(int[] $arr, int[] $brr) { Set<Integer> $set = new HashSet<>(); [each int $val; $arr] $set.add($val); [end] List<Integer> $out = new ArrayList<>(); for (int $tmp : $brr) { if ($set.remove($tmp)) { $out.add($tmp); } } #N return $out; }",
            "List<String> $fn(List<String> $list, List<String> $list2) { #N return $list.stream().filter($list2::contains).`distinct().~`collect(Collectors.toList()); }",
        ],
    ),
    functionality(
        "join strings",
        Collections,
        "join concat joinAll concatenate implode",
        &[
            "String $fn(List<String> $list, String $s) { StringBuilder $sb = new StringBuilder(); #N [for $i; 0; $list.size()] if ($i > 0) { $sb.append($s); } $sb.append($list.get($i)); [end] return $sb.toString(); }",
            "String $fn(String[] $list, String $s) { #N return String.join($s, $list); }",
            "String $fn(List<String> $list, String $s) { #N return $list.stream().collect(Collectors.joining($s)); }",
            "String $fn(List<String> $list, String $s) { String $out = \"\"; boolean $flag = true; [list String $word; $list] if (!$flag) { $out += $s; } $out += $word; $flag = false; [end] #N return $out; }",
            "String $fn(String[] $list, String $s) { StringJoiner $sb = new StringJoiner($s); #N [each String $word; $list] $sb.add($word); [end] return $sb.toString(); }",
        ],
    ),
    functionality(
        "keep even numbers",
        Collections,
        "evens filterEven evenNumbers onlyEven keepEven",
        &[
            "List<Integer> $fn(List<Integer> $list) { List<Integer> $out = new ArrayList<>(); #N [list Integer $val; $list] if ($val % 2 == 0) { $out.add($val); } [end] return $out; }",
            "List<Integer> $fn(int[] $arr) { List<Integer> $out = new LinkedList<>(); [each int $val; $arr] if (`($val & 1) == 0~$val % 2 != 1`) { $out.add($val); } [end] #N return $out; }",
            "List<Integer> $fn(List<Integer> $list) { #N return $list.stream().filter($val -> $val % 2 == 0).collect(Collectors.toList()); }",
            "void $fn(List<Integer> $list) { #N $list.removeIf($val -> $val % 2 != 0); }",
            "void $fn(List<Integer> $list) { #N for (Iterator<Integer> $it = $list.iterator(); $it.hasNext();) { if ($it.next() % 2 != 0) { $it.remove(); } } }",
        ],
    ),
    functionality(
        "key of the largest value",
        Collections,
        "topKey mostFrequent maxKey bestEntry argMax",
        &[
            "String $fn(Map<String, Integer> $map) { String $key = null; int $best = Integer.MIN_VALUE; #N for (Map.Entry<String, Integer> $val : $map.entrySet()) { if ($val.getValue() > $best) { $best = $val.getValue(); $key = $val.getKey(); } } return $key; }",
            "String $fn(Map<String, Integer> $map) { #N return Collections.max($map.entrySet(), Map.Entry.comparingByValue()).getKey(); }",
            "String $fn(Map<String, Integer> $map) { #N return $map.entrySet().stream().max(Map.Entry.comparingByValue()).map(Map.Entry::getKey).orElse(null); }",
            "String $fn(Map<String, Integer> $map) { List<String> $list = new ArrayList<>($map.keySet()); $list.sort(Comparator.comparing($map::get)); #N return $list.isEmpty() ? null : $list.get($list.size() - 1); }",
        ],
    ),
];
