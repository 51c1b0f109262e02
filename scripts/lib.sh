# Shared by the scripts of this folder; read with `source`, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Progress goes to standard error: standard output belongs to results (a path list, test totals).
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die WHAT_WAS_DONE WHAT_IS_WRONG WHAT_TO_DO
die() {
  printf '%s: error: %s: %s\n' "${0##*/}" "$1" "$2" >&2
  if [[ -n ${3:-} ]]; then printf '%s: remedy: %s\n' "${0##*/}" "$3" >&2; fi
  exit 1
}

# Compilers of this code take up to 1 GB each, so a machine with many cores may want fewer.
jobs_count() { printf '%s\n' "${SLUICE_JOBS:-$(nproc)}"; }

# Where the private libraries live. HOME may be unset in a container or a CI runner.
cache_directory() {
  printf '%s\n' "${SLUICE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sluice}"
}

# The comment at the head of a script is its help text.
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; }
