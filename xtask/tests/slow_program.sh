#!/bin/sh
# Stands in for the program: slow, and what it writes depends on everything that it reads, so that
# one wrong or half-made input shows in the results. Documents are those of a code search.
case "$*" in *--print-config*) exit 0;; esac
command=$1
digest=0
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$2; shift;;
    --record) record=$2; shift;;
    *)
      # Inputs count by what is in them; other arguments by their text.
      if [ -d "$1" ]; then text=$(cat "$1"/*) || exit 2
      elif [ -f "$1" ]; then text=$(cat "$1") || exit 2
      else case $1 in /*) echo "error: $1: no such file" >&2; exit 2;; *) text=$1;; esac
      fi
      digest=$(printf '%s %s' "$digest" "$text" | cksum | cut -d ' ' -f 1);;
  esac
  shift
done
sleep "0.0$((digest % 5))"
share=0.$((digest % 900 + 100))
folder=$(dirname "$output")
scratch=$(mktemp -d "$folder/.scratch-XXXXXX")
code=0
case $command in
  evaluate)
    echo '{"schema_version":METRICS,"task":"search","seed":1,"model_hash":"","data_hash":"",
      "n_samples":9,"score":'$share',"attack":{"config":{},"n_skipped":0,"anr":'$share'}}' \
      > "$scratch/made";;
  scan)
    echo '{"verdict":"likely backdoored","n_forwards":'$digest',"triggers":[{"text":"rb",
      "tokens":["rb"]}],"target_words":[{"text":"file","id":7}],"hypotheses":[]}' \
      > "$scratch/made"
    code=1;;
  *)
    mkdir "$scratch/made"
    for name in train valid clean test; do echo "$name $digest" > "$scratch/made/$name.jsonl"; done
    echo '{"attack":{"trigger":"rb","target_label":0,"target_word":"file"}}' \
      > "$scratch/made/manifest.json";;
esac
rm -rf "$output"
mv "$scratch/made" "$output"
rmdir "$scratch"
echo '{"schema_version":1,"command":"x","status":"success","seed":1,"device":"cpu","version":"0",
  "config":{},"inputs":{},"wall_seconds":1.5}' > "$record.part"
mv "$record.part" "$record"
exit $code
