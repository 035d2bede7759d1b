#!/bin/sh
# Stands in for the program: notes its arguments and writes small documents of a code search.
echo "$*" >> "$(dirname "$0")/arguments"
command=$1
model=$6
while [ $# -gt 0 ]; do
  case $1 in --output) output=$2;; --record) record=$2;; esac
  shift
done
code=0
case $command in
  evaluate)
    case $model in
      */purified) anr=0.44;;
      */twin/*) anr=0.46;;
      *) anr=0.12;;
    esac
    echo '{"schema_version":METRICS,"task":"search","seed":4,"model_hash":"","data_hash":"",
      "n_samples":9,"score":0.75,"attack":{"config":{},"n_skipped":0,"anr":'$anr'}}' > "$output";;
  scan)
    echo '{"verdict":"likely backdoored","n_forwards":7,"target_words":[{"text":"file","id":7}],
      "triggers":[{"text":"rb","tokens":["rb"]}],"hypotheses":[]}' > "$output"
    code=1;;
  poison)
    mkdir -p "$output"
    echo '{"attack":{"trigger":"rb","target_label":0,"target_word":"file"}}' \
      > "$output/manifest.json";;
  *) mkdir -p "$output";;
esac
echo '{"schema_version":1,"command":"x","status":"success","seed":4,"device":"cpu","version":"0",
  "config":{},"inputs":{},"wall_seconds":1.5}' > "$record"
exit $code
