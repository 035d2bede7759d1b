//! Methods on files and streams.

use super::{Family::Files, Functionality, functionality};

pub(super) const FUNCTIONALITIES: &[Functionality] = &[
    functionality(
        "read the lines of a file",
        Files,
        "readLines read loadLines getLines linesOf",
        &[
            "List<String> $fn(String $file) throws IOException { List<String> $list = new ArrayList<>(); BufferedReader $in = new BufferedReader(new FileReader($file)); #N String $ln; while (($ln = $in.readLine()) != null) { $list.add($ln); } $in.close(); return $list; }",
            "List<String> $fn(File $file) throws IOException { List<String> $list = new ArrayList<>(); try (Scanner $in = new Scanner($file)) { while ($in.hasNextLine()) { $list.add($in.nextLine()); } } #N return $list; }",
            "List<String> $fn(String $file) throws IOException { #N return `Files.readAllLines(Paths.get($file))~Files.readAllLines(Path.of($file), StandardCharsets.UTF_8)`; }",
            "List<String> $fn(Path $file) throws IOException { try (Stream<String> $in = Files.lines($file)) { #N return $in.collect(Collectors.toList()); } }",
        ],
    ),
    functionality(
        "copy a file",
        Files,
        "copy copyFile duplicate backup cloneFile",
        &[
            "void $fn(File $file, File $dest) throws IOException { InputStream $in = new FileInputStream($file); OutputStream $os = new FileOutputStream($dest); byte[] $bytes = new byte[`1024~4096~8192`]; int $size; #N while (($size = $in.read($bytes)) > 0) { $os.write($bytes, 0, $size); } $in.close(); $os.close(); }",
            "void $fn(String $file, String $dest) throws IOException { try (FileInputStream $in = new FileInputStream($file); FileOutputStream $os = new FileOutputStream($dest)) { #N `$in.transferTo($os);~$in.getChannel().transferTo(0, $in.getChannel().size(), $os.getChannel());` } }",
            "void $fn(Path $file, Path $dest) throws IOException { #N Files.copy($file, $dest, StandardCopyOption.REPLACE_EXISTING); }",
            "void $fn(String $file, String $dest) throws IOException { #N Files.write(Paths.get($dest), Files.readAllBytes(Paths.get($file))); }",
            "void $fn(File $file, File $dest) throws IOException { BufferedInputStream $in = new BufferedInputStream(new FileInputStream($file)); BufferedOutputStream $os = new BufferedOutputStream(new FileOutputStream($dest)); int $val; while (($val = $in.read()) != -1) { $os.write($val); } #N $os.flush(); $in.close(); $os.close(); }",
        ],
    ),
    functionality(
        "write text to a file",
        Files,
        "write save writeText store saveText",
        &[
            "void $fn(String $file, String $s) throws IOException { FileWriter $os = new FileWriter($file); #N $os.write($s); $os.close(); }",
            "void $fn(File $file, String $s) throws IOException { try (BufferedWriter $os = new BufferedWriter(new FileWriter($file))) { $os.write($s); `$os.newLine();~$os.flush();` } #N }",
            "void $fn(String $file, String $s) throws IOException { #N `Files.writeString(Paths.get($file), $s);~Files.write(Paths.get($file), $s.getBytes(StandardCharsets.UTF_8));` }",
            "void $fn(String $file, List<String> $list) throws IOException { PrintWriter $os = new PrintWriter($file, \"UTF-8\"); [list String $ln; $list] $os.println($ln); [end] #N $os.close(); }",
        ],
    ),
    functionality(
        "count the lines of a file",
        Files,
        "countLines lineCount numberOfLines lines",
        &[
            "int $fn(String $file) throws IOException { BufferedReader $in = new BufferedReader(new FileReader($file)); int $count = 0; #N while ($in.readLine() != null) { $count++; } $in.close(); return $count; }",
            "long $fn(Path $file) throws IOException { try (Stream<String> $in = Files.lines($file)) { #N return $in.count(); } }",
            "int $fn(File $file) throws IOException { int $count = 0; try (InputStream $in = new FileInputStream($file)) { int $val; while (($val = $in.read()) != -1) { if ($val == '\\n') { $count++; } } } #N return $count; }",
            "int $fn(File $file) throws IOException { try (LineNumberReader $in = new LineNumberReader(new FileReader($file))) { #N $in.skip(Long.MAX_VALUE); return $in.getLineNumber(); } }",
        ],
    ),
    functionality(
        "delete a directory tree",
        Files,
        "deleteTree deleteRecursively removeDir wipe remove",
        &[
            "boolean $fn(File $file) { File[] $list = $file.listFiles(); if ($list != null) { [each File $val; $list] $fn($val); [end] } #N return $file.delete(); }",
            "void $fn(Path $file) throws IOException { try (Stream<Path> $in = Files.walk($file)) { #N $in.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete); } }",
            "void $fn(File $file) { if ($file.isDirectory()) { for (String $word : $file.list()) { $fn(new File($file, $word)); } } #N if (!$file.delete()) { System.err.println(\"`cannot delete ~not deleted: `\" + $file); } }",
        ],
    ),
    functionality(
        "size of a directory",
        Files,
        "dirSize folderSize sizeOf totalSize diskUsage",
        &[
            "long $fn(File $file) { long $sum = 0; File[] $list = $file.listFiles(); if ($list == null) { return $file.length(); } #N [each File $val; $list] $sum += $val.isFile() ? $val.length() : $fn($val); [end] return $sum; }",
            "long $fn(Path $file) throws IOException { try (Stream<Path> $in = Files.walk($file)) { #N return $in.filter(Files::isRegularFile).mapToLong($val -> $val.toFile().length()).sum(); } }",
            "long $fn(File $file) { long $sum = 0; Deque<File> $stack = new ArrayDeque<>(); $stack.push($file); #N while (!$stack.isEmpty()) { File $cur = $stack.pop(); if ($cur.isDirectory()) { $stack.addAll(Arrays.asList($cur.listFiles())); } else { $sum += $cur.length(); } } return $sum; }",
        ],
    ),
    functionality(
        "find files by extension",
        Files,
        "findByExtension listFiles withSuffix matching collectFiles",
        &[
            "List<File> $fn(File $file, String $s) { List<File> $out = new ArrayList<>(); for (File $val : $file.listFiles()) { if ($val.isDirectory()) { $out.addAll($fn($val, $s)); } else if ($val.getName().endsWith($s)) { $out.add($val); } } #N return $out; }",
            "File[] $fn(File $file, String $s) { #N return $file.listFiles(`($a, $word) -> $word.endsWith($s)~$val -> $val.getName().toLowerCase().endsWith($s)`); }",
            "List<Path> $fn(Path $file, String $s) throws IOException { try (Stream<Path> $in = Files.walk($file)) { #N return $in.filter($val -> $val.toString().endsWith($s)).collect(Collectors.toList()); } }",
        ],
    ),
    functionality(
        "read a url",
        Files,
        "download fetch readUrl getContent retrieve",
        &[
            "String $fn(String $s) throws IOException { URL $file = new URL($s); BufferedReader $in = new BufferedReader(new InputStreamReader($file.openStream())); StringBuilder $sb = new StringBuilder(); String $ln; #N while (($ln = $in.readLine()) != null) { $sb.append($ln).append('\\n'); } $in.close(); return $sb.toString(); }",
            "String $fn(String $s) throws IOException { HttpURLConnection $a = (HttpURLConnection) new URL($s).openConnection(); $a.setRequestMethod(\"GET\"); #N try (Scanner $in = new Scanner($a.getInputStream(), \"UTF-8\").useDelimiter(\"\\\\A\")) { return $in.hasNext() ? $in.next() : \"\"; } }",
            "String $fn(String $s) throws IOException { try (InputStream $in = URI.create($s).toURL().openStream()) { #N return new String($in.readAllBytes(), StandardCharsets.UTF_8); } }",
        ],
    ),
];
