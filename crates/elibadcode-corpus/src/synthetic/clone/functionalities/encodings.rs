//! Methods that encode, decode, hash and parse text.

use super::{Family::Encodings, Functionality, functionality};

pub(super) const FUNCTIONALITIES: &[Functionality] = &[
    functionality(
        "md5 of a string",
        Encodings,
        "md5 hash digest checksum md5Hex",
        &[
            "String $fn(String $s) throws Exception { MessageDigest $a = MessageDigest.getInstance(\"MD5\"); byte[] $bytes = $a.digest($s.getBytes(`StandardCharsets.UTF_8~\"UTF-8\"`)); StringBuilder $sb = new StringBuilder(); #N for (byte $b : $bytes) { $sb.append(String.format(\"%02x\", $b)); } return $sb.toString(); }",
            "String $fn(String $s) throws Exception { byte[] $bytes = MessageDigest.getInstance(\"MD5\").digest($s.getBytes()); #N return String.format(\"%032x\", new BigInteger(1, $bytes)); }",
            "String $fn(String $s) { try { MessageDigest $a = MessageDigest.getInstance(\"MD5\"); $a.update($s.getBytes()); byte[] $bytes = $a.digest(); String $out = \"\"; [for $i; 0; $bytes.length] $out += Integer.toString(($bytes[$i] & 0xff) + 0x100, 16).substring(1); [end] return $out; } catch (NoSuchAlgorithmException $lo) { #N return null; } }",
        ],
    ),
    functionality(
        "bytes to hex",
        Encodings,
        "toHex bytesToHex hex encodeHex hexString",
        &[
            "String $fn(byte[] $bytes) { StringBuilder $sb = new StringBuilder(); #N [each byte $b; $bytes] $sb.append(String.format(\"`%02x~%02X`\", $b)); [end] return $sb.toString(); }",
            "String $fn(byte[] $bytes) { char[] $list = \"0123456789abcdef\".toCharArray(); char[] $out = new char[$bytes.length * 2]; #N [for $i; 0; $bytes.length] $out[$i * 2] = $list[($bytes[$i] >> 4) & 0xf]; $out[$i * 2 + 1] = $list[$bytes[$i] & 0xf]; [end] return new String($out); }",
            "String $fn(byte[] $bytes) { String $s = \"\"; [each byte $b; $bytes] String $tmp = Integer.toHexString($b & 0xff); if ($tmp.length() == 1) { $s += \"0\"; } $s += $tmp; [end] #N return $s; }",
            "String $fn(byte[] $bytes) { #N return HexFormat.of().formatHex($bytes); }",
        ],
    ),
    functionality(
        "hex to bytes",
        Encodings,
        "fromHex hexToBytes decodeHex parseHex unhex",
        &[
            "byte[] $fn(String $s) { byte[] $out = new byte[$s.length() / 2]; #N [for $i; 0; $out.length] $out[$i] = (byte) Integer.parseInt($s.substring(2 * $i, 2 * $i + 2), 16); [end] return $out; }",
            "byte[] $fn(String $s) { int $n = $s.length(); byte[] $out = new byte[$n / 2]; #N for (int $i = 0; $i < $n; $i += 2) { $out[$i / 2] = (byte) ((Character.digit($s.charAt($i), 16) << 4) + Character.digit($s.charAt($i + 1), 16)); } return $out; }",
            "byte[] $fn(String $s) { #N return HexFormat.of().parseHex($s); }",
            "byte[] $fn(String $s) { ByteArrayOutputStream $os = new ByteArrayOutputStream(); #N for (int $i = 0; $i + 1 < $s.length(); $i += 2) { $os.write(Integer.parseInt($s.substring($i, $i + 2), 16)); } return $os.toByteArray(); }",
        ],
    ),
    functionality(
        "parse a csv line",
        Encodings,
        "parseCsv splitCsv parseLine fields columns",
        &[
            "List<String> $fn(String $ln) { List<String> $list = new ArrayList<>(); StringBuilder $sb = new StringBuilder(); boolean $flag = false; #N [chars $c; $ln] if ($c == '\"') { $flag = !$flag; } else if ($c == ',' && !$flag) { $list.add($sb.toString()); $sb.setLength(0); } else { $sb.append($c); } [end] $list.add($sb.toString()); return $list; }",
            "List<String> $fn(String $ln) { List<String> $list = new ArrayList<>(); #N for (String $word : $ln.split(\",\")) { $list.add($word.trim()); } return $list; }",
            "String[] $fn(String $ln) { #N return $ln.split(\",(?=(?:[^\\\"]*\\\"[^\\\"]*\\\")*[^\\\"]*\\\\z)\", -1); }",
            "List<String> $fn(String $ln) { #N return Arrays.stream($ln.split(\",\")).map(String::trim).collect(Collectors.toList()); }",
            "List<String> $fn(String $ln) { List<String> $list = new ArrayList<>(); int $lo = 0; int $i = $ln.indexOf(','); while ($i >= 0) { $list.add($ln.substring($lo, $i)); $lo = $i + 1; $i = $ln.indexOf(',', $lo); } $list.add($ln.substring($lo)); #N return $list; }",
        ],
    ),
    functionality(
        "balanced brackets",
        Encodings,
        "isBalanced balanced checkBrackets validParentheses",
        &[
            "boolean $fn(String $s) { Deque<Character> $stack = new ArrayDeque<>(); #N [chars $c; $s] if ($c == '(' || $c == '[' || $c == '{') { $stack.push($c); } else if ($c == ')' || $c == ']' || $c == '}') { if ($stack.isEmpty()) { return false; } char $d = $stack.pop(); if (($c == ')' && $d != '(') || ($c == ']' && $d != '[') || ($c == '}' && $d != '{')) { return false; } } [end] return $stack.isEmpty(); }",
            "boolean $fn(String $s) { Stack<Character> $stack = new Stack<>(); [chars $c; $s] switch ($c) { case '(': $stack.push(')'); break; case '[': $stack.push(']'); break; case '{': $stack.push('}'); break; default: if ($stack.isEmpty() || $stack.pop() != $c) { return false; } } [end] #N return $stack.isEmpty(); }",
            "boolean $fn(String $s) { String $tmp = $s.replaceAll(\"[^()\\\\[\\\\]{}]\", \"\"); int $n; #N do { $n = $tmp.length(); $tmp = $tmp.replace(\"()\", \"\").replace(\"[]\", \"\").replace(\"{}\", \"\"); } while ($tmp.length() < $n); return $tmp.isEmpty(); }",
            "boolean $fn(String $s) { int $count = 0; #N [chars $c; $s] if ($c == '(') { $count++; } if ($c == ')') { $count--; } if ($count < 0) { return false; } [end] return $count == 0; }",
        ],
    ),
    functionality(
        "parse a query string",
        Encodings,
        "parseQuery queryParams params parseParameters",
        &[
            "Map<String, String> $fn(String $s) { Map<String, String> $map = new `HashMap~LinkedHashMap`<>(); #N for (String $word : $s.split(\"&\")) { String[] $arr = $word.split(\"=\", 2); $map.put($arr[0], $arr.length > 1 ? $arr[1] : \"\"); } return $map; }",
            "Map<String, String> $fn(String $s) { Map<String, String> $map = new HashMap<>(); StringTokenizer $in = new StringTokenizer($s, \"&\"); while ($in.hasMoreTokens()) { String $word = $in.nextToken(); int $i = $word.indexOf('='); if ($i > 0) { $map.put($word.substring(0, $i), $word.substring($i + 1)); } } #N return $map; }",
            "Map<String, String> $fn(String $s) { #N return Arrays.stream($s.split(\"&\")).map($word -> $word.split(\"=\")).collect(Collectors.toMap($arr -> $arr[0], $arr -> $arr[1])); }",
        ],
    ),
    functionality(
        "roman numeral value",
        Encodings,
        "romanToInt fromRoman parseRoman romanValue",
        &[
            "int $fn(String $s) { Map<Character, Integer> $map = new HashMap<>(); $map.put('I', 1); $map.put('V', 5); $map.put('X', 10); $map.put('L', 50); $map.put('C', 100); $map.put('D', 500); $map.put('M', 1000); int $sum = 0; #N [for $i; 0; $s.length()] int $val = $map.get($s.charAt($i)); if ($i + 1 < $s.length() && $val < $map.get($s.charAt($i + 1))) { $sum -= $val; } else { $sum += $val; } [end] return $sum; }",
            "int $fn(String $s) { int $sum = 0; int $hi = 0; for (int $i = $s.length() - 1; $i >= 0; $i--) { int $val = 0; switch ($s.charAt($i)) { case 'I': $val = 1; break; case 'V': $val = 5; break; case 'X': $val = 10; break; case 'L': $val = 50; break; case 'C': $val = 100; break; case 'D': $val = 500; break; case 'M': $val = 1000; break; } if ($val < $hi) { $sum -= $val; } else { $sum += $val; $hi = $val; } } #N return $sum; }",
            "int $fn(String $s) { String[] $list = {\"M\", \"CM\", \"D\", \"CD\", \"C\", \"XC\", \"L\", \"XL\", \"X\", \"IX\", \"V\", \"IV\", \"I\"}; int[] $arr = {1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1}; int $sum = 0; #N [for $i; 0; $list.length] while ($s.startsWith($list[$i])) { $sum += $arr[$i]; $s = $s.substring($list[$i].length()); } [end] return $sum; }",
        ],
    ),
    functionality(
        "decode base64",
        Encodings,
        "decodeBase64 fromBase64 decode base64ToText",
        &[
            "String $fn(String $s) { #G(s) byte[] $bytes = Base64.getDecoder().decode($s); #N return new String($bytes`, StandardCharsets.UTF_8~`); }",
            "String $fn(String $s) { #N return new String(Base64.getMimeDecoder().decode($s.getBytes())); }",
            "byte[] $fn(String $s) { String $list = \"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\"; ByteArrayOutputStream $os = new ByteArrayOutputStream(); int $val = 0; int $count = 0; #N [chars $c; $s] if ($c != '=') { $val = ($val << 6) | $list.indexOf($c); $count += 6; if ($count >= 8) { $count -= 8; $os.write($val >> $count); } } [end] return $os.toByteArray(); }",
        ],
    ),
    functionality(
        "digits in any base",
        Encodings,
        "toBase convertBase baseString radixString",
        &[
            "String $fn(int $num, int $base) { if ($num == 0) { return \"0\"; } String $s = \"\"; #N while ($num > 0) { int $val = $num % $base; $s = (char) ($val < 10 ? '0' + $val : 'a' + $val - 10) + $s; $num /= $base; } return $s; }",
            "String $fn(int $num, int $base) { String $list = \"0123456789abcdefghijklmnopqrstuvwxyz\"; if ($num < $base) { return String.valueOf($list.charAt($num)); } #N return $fn($num / $base, $base) + $list.charAt($num % $base); }",
            "String $fn(int $num, int $base) { #N return `Integer.toString($num, $base)~Long.toString($num, $base)~BigInteger.valueOf($num).toString($base)`; }",
            "String $fn(int $num, int $base) { StringBuilder $sb = new StringBuilder(); do { $sb.append(Character.forDigit($num % $base, $base)); $num /= $base; } while ($num > 0); #N return $sb.reverse().toString(); }",
        ],
    ),
];
