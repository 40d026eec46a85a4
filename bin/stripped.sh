# shellcheck shell=sh disable=SC2154,SC2034  # `root` and `part` come from, and `main` goes to, the command that sources this
# Sourced by the commands beside it, with `root` and `part` set: sets `node`, and `main` to what it should run for src/<part>.ts.
#
# A Node that strips types keeps the stripper, which is 60 MB, and on a slow machine takes minutes. So what runs is a copy of src without
# types, made by a process that ends at once, under a name that says what it was made from. Where none can be made (only root
# tries), Node strips for itself and is that much larger and slower. (Node's own compile cache would do, too, but keeps all it has read: 7 MB.)
node=$root/node_modules/.bin/node
if ! [ -x "$node" ]; then
  case "${1:-}" in
    # What there is to say without a Node: the comment at the top of the command.
    -h | --help) awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
  esac
  printf '%s: there is no Node in %s yet. What to do: scripts/quickstart (to try it) or scripts/install\n' "$(basename "$0")" "$root" >&2
  exit 1
fi
key=$(find "$root/src" "$root/package.json" -type f -exec sha256sum {} + | sort | sha256sum | cut -c 1-32)
copy=${ATOLL_CACHE:-/var/cache/atoll}/src-$key
[ -e "$copy" ] || [ "$(id -u)" != 0 ] || NODE_OPTIONS='' "$node" --disable-warning=ExperimentalWarning "$root/scripts/strip-types.ts" "$root" "$copy"
main=$root/src/$part.ts
if [ -r "$copy/src/$part.js" ]; then
  # So that it is known to be in use.
  touch -c "$copy" 2>/dev/null
  main=$copy/src/$part.js
fi
