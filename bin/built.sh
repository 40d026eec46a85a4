# shellcheck shell=sh disable=SC2154,SC2034  # `root`, `program` and `source` come from, and `main` goes to, the command that sources this
# Sourced by the commands beside it, with `root`, `program` and `source` set: sets `node`, and `main` to the file that it should run.
#
# In a release the programs lie in dist, and never change. In a checkout each build lies in a directory that is named by a digest of all
# that it is made from: changed sources are built again, and never run stale. A daemon that runs keeps the files of its own build, because
# this process and the Node that it becomes hold a lock on them (scripts/build.ts). Where none can be made, Node reads the sources itself:
# slower, and 60 MB larger.
node=$root/node_modules/.bin/node
if ! [ -x "$node" ]; then
  case "${1:-}" in
    # What there is to say without a Node: the comment at the top of the command.
    -h | --help) awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
  esac
  printf '%s: there is no Node in %s yet. What to do: scripts/quickstart (to try it) or scripts/install\n' "$(basename "$0")" "$root" >&2
  exit 1
fi
built=$root/dist
if ! [ -e "$built/$program.cjs" ]; then
  key=$(cd "$root" && find src scripts/build.ts scripts/sbom.ts package.json package-lock.json -type f -exec sha256sum {} + | sort | sha256sum | cut -c 1-32)
  built=$root/dist/$key
  if ! [ -e "$built" ] && { [ -w "$root/dist" ] || [ -w "$root" ]; }; then
    NODE_OPTIONS='' "$node" "$root/scripts/build.ts" "$built" || true
  fi
  if [ -d "$built" ]; then
    exec 9<"$built"
    flock --shared 9
    # So that it is known since when it is not used.
    touch -c "$built" 2>/dev/null
  fi
fi
main=$built/$program.cjs
[ -r "$main" ] || main=$root/$source
