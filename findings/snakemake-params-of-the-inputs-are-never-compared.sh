#!/usr/bin/env bash
# snakemake 9.27.1: a value in params is compared between runs, unless the function that gives it takes input as well.
#
# Guessed before: --rerun-triggers has params by default, so that a job runs again when any of its params is another; what
#   counts is the value, not which arguments the function that gives it has.
# Seen: "params: value=lambda wildcards, input: config['value']" never causes a rerun. Another value of the config, and
#   snakemake says that there is nothing to be done. With "lambda wildcards: config['value']" beside it, the same value
#   runs the job again. Nothing is printed about it, and the metadata of the job does not hold the value.
#
#       by_wildcards   value 1, then 2   runs again: params have changed since last execution
#       by_input       value 1, then 2   nothing to be done
#
# Who is hurt: whoever puts a digest or an option into params that needs to look at the inputs (a file's content, their
#   number): results of the value before stay, under a config that says another.
# Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet snakemake==9.27.1
cd "$folder"
echo ecg > in.txt
cat > Snakefile <<'SNAKEFILE'
rule by_wildcards:
    input: "in.txt"
    output: "by_wildcards.txt"
    params: value=lambda wildcards: config["value"]
    shell: "echo {params.value} > {output}"

rule by_input:
    input: "in.txt"
    output: "by_input.txt"
    params: value=lambda wildcards, input: config["value"]
    shell: "echo {params.value} > {output}"
SNAKEFILE
venv/bin/snakemake --version
run() { venv/bin/snakemake --cores 1 by_wildcards.txt by_input.txt --config "value=$1" > log.txt 2>&1 || { cat log.txt; exit 2; }; }
run 1
run 2
echo "after value 1 and then 2: by_wildcards $(cat by_wildcards.txt), by_input $(cat by_input.txt)"
grep --quiet "params have changed\|Params have changed" log.txt || { echo "changed: the reason is told otherwise"; exit 1; }
test "$(cat by_wildcards.txt)" = 2 || { echo "changed: params are compared no more"; exit 1; }
test "$(cat by_input.txt)" = 1 || { echo "changed: params of the inputs are compared"; exit 1; }
