//! Methods on the characters and words of a string.

use super::{Family::Strings, Functionality, functionality};

pub(super) const FUNCTIONALITIES: &[Functionality] = &[
    functionality(
        "reverse a string",
        Strings,
        "reverse reverseString flip backwards mirror",
        &[
            "String $fn(String $s) { #G(s) #N return new `StringBuilder~StringBuffer`($s).reverse().toString(); }",
            "String $fn(String $s) { String $out = \"\"; #N [chars $c; $s] $out = $c + $out; [end] return $out; }",
            "String $fn(String $s) { `if ($s.isEmpty()) { return $s; }~if ($s.length() <= 1) return $s;` return $fn($s.substring(1)) + $s.charAt(0); }",
            "String $fn(String $s) { char[] $arr = $s.toCharArray(); int $lo = 0; int $hi = $arr.length - 1; #N while ($lo < $hi) { char $tmp = $arr[$lo]; $arr[$lo++] = $arr[$hi]; $arr[$hi--] = $tmp; } return `new String($arr)~String.valueOf($arr)`; }",
            "String $fn(String $s) { StringBuilder $sb = new StringBuilder(); for (int $i = $s.length() - 1; $i >= 0; $i--) { $sb.append($s.charAt($i)); } #N return $sb.toString(); }",
        ],
    ),
    functionality(
        "palindrome test",
        Strings,
        "isPalindrome palindrome checkPalindrome isSymmetric",
        &[
            "boolean $fn(String $s) { int $lo = 0; int $hi = $s.length() - 1; #N while ($lo < $hi) { if ($s.charAt($lo) != $s.charAt($hi)) { return false; } $lo++; $hi--; } return true; }",
            "boolean $fn(String $s) { #G(s) #N return $s.`equals~equalsIgnoreCase`(new StringBuilder($s).reverse().toString()); }",
            "boolean $fn(String $s) { if ($s.length() < 2) { return true; } if ($s.charAt(0) != $s.charAt($s.length() - 1)) { return false; } return $fn($s.substring(1, $s.length() - 1)); }",
            "boolean $fn(String $s) { #N [for $i; 0; $s.length() / 2] if ($s.charAt($i) != $s.charAt($s.length() - 1 - $i)) { return false; } [end] return true; }",
            "boolean $fn(String $s) { #N return IntStream.range(0, $s.length() / 2).allMatch($i -> $s.charAt($i) == $s.charAt($s.length() - $i - 1)); }",
        ],
    ),
    functionality(
        "count vowels",
        Strings,
        "vowels countVowels vowelCount numberOfVowels",
        &[
            "int $fn(String $s) { int $count = 0; #N [chars $c; $s] if (`\"aeiou\".indexOf($c) >= 0~\"aeiouAEIOU\".indexOf($c) != -1~\"aeiou\".contains(String.valueOf($c))`) { $count++; } [end] return $count; }",
            "int $fn(String $s) { int $count = 0; [chars $c; $s.toLowerCase()] switch ($c) { case 'a': case 'e': case 'i': case 'o': case 'u': $count++; } [end] #N return $count; }",
            "int $fn(String $s) { #N return $s.`replaceAll(\"[^aeiouAEIOU]\", \"\")~toLowerCase().replaceAll(\"[^aeiou]\", \"\")`.length(); }",
            "long $fn(String $s) { #N return $s.`chars()~toLowerCase().chars()`.filter($c -> \"aeiou\".indexOf($c) >= 0).count(); }",
            "int $fn(String $s) { if ($s.isEmpty()) { return 0; } char $c = $s.charAt(0); boolean $flag = $c == 'a' || $c == 'e' || $c == 'i' || $c == 'o' || $c == 'u'; return ($flag ? 1 : 0) + $fn($s.substring(1)); }",
        ],
    ),
    functionality(
        "count words",
        Strings,
        "countWords wordCount words numberOfWords",
        &[
            "int $fn(String $s) { #G(s) `String[] $arr = $s.trim().split(\"\\\\s+\"); #N return $s.trim().isEmpty() ? 0 : $arr.length;~if ($s.trim().isEmpty()) return 0; #N return $s.trim().split(\"\\\\s+\").length;` }",
            "int $fn(String $s) { int $count = 0; boolean $flag = false; #N [chars $c; $s] if (Character.isWhitespace($c)) { $flag = false; } else if (!$flag) { $flag = true; $count++; } [end] return $count; }",
            "int $fn(String $s) { #N return new StringTokenizer($s).countTokens(); }",
            "int $fn(String $s) { Scanner $in = new Scanner($s); int $count = 0; #N while ($in.hasNext()) { $in.next(); $count++; } return $count; }",
            "long $fn(String $s) { #N return Arrays.stream($s.split(\" \")).filter($word -> !$word.isEmpty()).count(); }",
        ],
    ),
    functionality(
        "caesar cipher",
        Strings,
        "encrypt caesar shift encode rotateLetters",
        &[
            "String $fn(String $s, int $k) { StringBuilder $sb = new StringBuilder(); #N [chars $c; $s] if (Character.isUpperCase($c)) { $sb.append((char) (($c - 'A' + $k) % 26 + 'A')); } else if (Character.isLowerCase($c)) { $sb.append((char) (($c - 'a' + $k) % 26 + 'a')); } else { $sb.append($c); } [end] return $sb.toString(); }",
            "String $fn(String $s, int $k) { char[] $arr = $s.toCharArray(); #N [for $i; 0; $arr.length] if (Character.isLetter($arr[$i])) { char $base = Character.isUpperCase($arr[$i]) ? 'A' : 'a'; $arr[$i] = (char) ($base + ($arr[$i] - $base + $k) % 26); } [end] return new String($arr); }",
            "String $fn(String $s, int $k) { String $out = \"\"; String $list = \"abcdefghijklmnopqrstuvwxyz\"; [chars $c; $s.toLowerCase()] int $i = $list.indexOf($c); $out += $i < 0 ? $c : $list.charAt(($i + $k) % 26); [end] #N return $out; }",
            "String $fn(String $s, int $k) { #N return $s.chars().map($c -> Character.isLowerCase($c) ? ($c - 'a' + $k) % 26 + 'a' : $c).mapToObj($d -> String.valueOf((char) $d)).collect(Collectors.joining()); }",
        ],
    ),
    functionality(
        "anagram test",
        Strings,
        "isAnagram anagram areAnagrams sameLetters",
        &[
            "boolean $fn(String $s, String $r) { char[] $arr = $s.toCharArray(); char[] $brr = $r.toCharArray(); Arrays.sort($arr); Arrays.sort($brr); #N return Arrays.equals($arr, $brr); }",
            "boolean $fn(String $s, String $r) { if ($s.length() != $r.length()) { return false; } int[] $map = new int[`256~26~128`]; #N [for $i; 0; $s.length()] $map[$s.charAt($i) % $map.length]++; $map[$r.charAt($i) % $map.length]--; [end] for (int $val : $map) { if ($val != 0) { return false; } } return true; }",
            "boolean $fn(String $s, String $r) { Map<Character, Integer> $map = new HashMap<>(); [chars $c; $s] $map.merge($c, 1, Integer::sum); [end] for (char $d : $r.toCharArray()) { if ($map.merge($d, -1, Integer::sum) < 0) { return false; } } #N return $s.length() == $r.length(); }",
            "boolean $fn(String $s, String $r) { if ($s.length() != $r.length()) return false; StringBuilder $sb = new StringBuilder($r); #N [chars $c; $s] int $i = $sb.indexOf(String.valueOf($c)); if ($i < 0) { return false; } $sb.deleteCharAt($i); [end] return true; }",
        ],
    ),
    functionality(
        "capitalize words",
        Strings,
        "capitalize titleCase capitalizeWords upperFirst",
        &[
            "String $fn(String $s) { StringBuilder $sb = new StringBuilder(); #N for (String $word : $s.split(\" \")) { if ($sb.length() > 0) { $sb.append(' '); } $sb.append(Character.toUpperCase($word.charAt(0))).append($word.substring(1)); } return $sb.toString(); }",
            "String $fn(String $s) { char[] $arr = $s.toCharArray(); boolean $flag = true; #N [for $i; 0; $arr.length] if (Character.isWhitespace($arr[$i])) { $flag = true; } else if ($flag) { $arr[$i] = Character.toUpperCase($arr[$i]); $flag = false; } [end] return new String($arr); }",
            "String $fn(String $s) { #N return Arrays.stream($s.split(\"\\\\s+\")).map($word -> $word.substring(0, 1).toUpperCase() + $word.substring(1)).collect(Collectors.joining(\" \")); }",
        ],
    ),
    functionality(
        "run-length encoding",
        Strings,
        "compress encode runLength rle shorten",
        &[
            "String $fn(String $s) { StringBuilder $sb = new StringBuilder(); int $count = 1; for (int $i = 1; $i <= $s.length(); $i++) { if ($i < $s.length() && $s.charAt($i) == $s.charAt($i - 1)) { $count++; } else { $sb.append($s.charAt($i - 1)).append($count); $count = 1; } } #N return $sb.toString(); }",
            "String $fn(String $s) { String $out = \"\"; int $i = 0; #N while ($i < $s.length()) { int $j = $i; while ($j < $s.length() && $s.charAt($j) == $s.charAt($i)) { $j++; } $out += $s.charAt($i) + String.valueOf($j - $i); $i = $j; } return $out; }",
            "String $fn(String $s) { if ($s.isEmpty()) { return \"\"; } int $i = 1; while ($i < $s.length() && $s.charAt($i) == $s.charAt(0)) { $i++; } #N return \"\" + $s.charAt(0) + $i + $fn($s.substring($i)); }",
        ],
    ),
    functionality(
        "longest common prefix",
        Strings,
        "commonPrefix longestPrefix sharedPrefix prefix",
        &[
            "String $fn(String[] $list) { String $s = $list[0]; #N [for $i; 1; $list.length] while (!$list[$i].startsWith($s)) { $s = $s.substring(0, $s.length() - 1); } [end] return $s; }",
            "String $fn(String[] $list) { #N [for $i; 0; $list[0].length()] char $c = $list[0].charAt($i); for (String $word : $list) { if ($i == $word.length() || $word.charAt($i) != $c) { return $list[0].substring(0, $i); } } [end] return $list[0]; }",
            "String $fn(String[] $list) { Arrays.sort($list); String $lo = $list[0]; String $hi = $list[$list.length - 1]; int $i = 0; #N while ($i < $lo.length() && $i < $hi.length() && $lo.charAt($i) == $hi.charAt($i)) { $i++; } return $lo.substring(0, $i); }",
            "String $fn(String $s, String $r) { int $i = 0; int $n = Math.min($s.length(), $r.length()); while ($i < $n && $s.charAt($i) == $r.charAt($i)) { $i++; } #N return $s.substring(0, $i); }",
        ],
    ),
    functionality(
        "first unique character",
        Strings,
        "firstUnique uniqueChar firstNonRepeated singleLetter",
        &[
            "char $fn(String $s) { Map<Character, Integer> $map = new LinkedHashMap<>(); [chars $c; $s] $map.put($c, $map.getOrDefault($c, 0) + 1); [end] #N for (Map.Entry<Character, Integer> $val : $map.entrySet()) { if ($val.getValue() == 1) { return $val.getKey(); } } return 0; }",
            "char $fn(String $s) { #N [chars $c; $s] if ($s.indexOf($c) == $s.lastIndexOf($c)) { return $c; } [end] return `' '~0~'_'`; }",
            "int $fn(String $s) { int[] $map = new int[256]; [chars $c; $s] $map[$c]++; [end] #N [for $i; 0; $s.length()] if ($map[$s.charAt($i)] == 1) { return $i; } [end] return -1; }",
        ],
    ),
    functionality(
        "count a character",
        Strings,
        "countChar occurrences countLetter frequency countOf",
        &[
            "int $fn(String $s, char $c) { int $count = 0; #N [chars $d; $s] if (`$d == $c~$c == $d`) { $count++; } [end] return $count; }",
            "int $fn(String $s, char $c) { #N return $s.length() - $s.replace(String.valueOf($c), \"\").length(); }",
            "long $fn(String $s, char $c) { #N return $s.chars().filter($d -> $d == $c).count(); }",
            "int $fn(String $s, char $c) { int $count = 0; int $i = $s.indexOf($c); #N while ($i >= 0) { $count++; $i = $s.indexOf($c, $i + 1); } return $count; }",
            "int $fn(String $s, char $c) { if ($s.isEmpty()) return 0; return ($s.charAt(0) == $c ? 1 : 0) + $fn($s.substring(1), $c); }",
        ],
    ),
];
