# shellcheck shell=bash
# Sourced by scripts/install: makes a release, which is what a host runs. It has the programs, one
# file for each, the few packages that they need beside them, and no sources. Needs ROOT, HOME_DIR
# and CURRENT, scripts/lib.sh and engines/install-engines.sh.

# What a release is made from, and named after.
SOURCES='bin src engines scripts docs package.json package-lock.json .npmrc README.md LICENSE'

# Scripts that work on a checkout.
DEVELOPER_SCRIPTS='bench compatibility drill lab make-box quickstart sim test'

# All packages that a build needs. They are kept for the next release with the same lock file, which
# then needs no registry. Nothing that runs uses them.
PACKAGES=$HOME_DIR/packages

# is_built: whether ROOT is a release, of this host or copied from another one, and no checkout.
is_built() { [ -e "$ROOT/RELEASE" ]; }

# release_name: the version and a checksum of the files, so that an unchanged checkout is not
# installed twice. A release keeps its name.
release_name() {
  local sum version
  if is_built; then
    cat "$ROOT/RELEASE"
    return
  fi
  # shellcheck disable=SC2086 # a list of names
  sum=$(cd "$ROOT" && find $SOURCES -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-12)
  version=$(sed -n 's/^  "version": "\([0-9a-z.-]*\)",$/\1/p' "$ROOT/package.json")
  printf '%s-%s' "$version" "$sum"
}

# packages_alike: prints a tree whose node_modules were installed from the same lock file. Prints
# nothing if there is none.
packages_alike() {
  local tree
  for tree in "$PACKAGES" "$(readlink -f "$CURRENT")" "$ROOT" /var/cache/atoll-npm; do
    if (ROOT=$tree npm_packages_are_current --omit=dev) && cmp -s "$tree/package-lock.json" "$ROOT/package-lock.json"; then
      printf '%s' "$tree"
      return 0
    fi
  done
}

# copy_packages FROM TO: copies the packages without those of developers.
copy_packages() {
  "$1/node_modules/.bin/node" -e '
    const { existsSync, readFileSync } = require("node:fs")
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"))
    const wanted = Object.keys(packages).filter((path) => path !== "" && packages[path].dev !== true)
    console.log(["node_modules/.bin/node", ...wanted.filter((path) => existsSync(path))].join("\n"))
  ' | tar -c --files-from - | tar -C "$2" -x --no-same-owner
}

# make_packages: makes PACKAGES completely or not at all, from a tree that has them or from the
# registry.
make_packages() {
  local aside=$PACKAGES.aside alike
  alike=$(packages_alike)
  [ "$alike" != "$PACKAGES" ] || return 0
  rm -rf "$aside"
  mkdir -p "$aside"
  cp "$ROOT"/{package.json,package-lock.json,.npmrc} "$aside"
  if [ -z "$alike" ]; then
    (ROOT=$aside install_npm_packages --omit=dev)
  else
    (cd "$alike" && copy_packages "$alike" "$aside")
    (ROOT=$aside npm_packages_wanted --omit=dev >"$aside/node_modules/.atoll-installed")
  fi
  rm -rf "$PACKAGES"
  mv -T "$aside" "$PACKAGES"
}

# build_release DIRECTORY: of a checkout.
build_release() {
  local script
  make_packages
  # shellcheck disable=SC2086 # a list of names
  tar -C "$ROOT" -c $SOURCES | tar -C "$1" -x --no-same-owner
  ln -s "$PACKAGES/node_modules" "$1/node_modules"
  "$PACKAGES/node_modules/.bin/node" "$1/scripts/build.ts" "$1/dist" "$1/beside"
  rm "$1/node_modules"
  mv -T "$1/beside" "$1/node_modules"
  rm -r "$1/src" "$1"/{package-lock.json,.npmrc}
  find "$1/engines" "$1/scripts" -name '*.ts' -delete
  for script in $DEVELOPER_SCRIPTS; do rm "$1/scripts/$script"; done
  link_older_names "$1"
}

# make_release DIRECTORY: makes it completely or not at all.
make_release() {
  local aside=$1.aside
  # Parts without root's rights read it.
  umask 022
  rm -rf "$aside"
  mkdir -p "$aside"
  if is_built; then tar -C "$ROOT" -c . | tar -C "$aside" -x --no-same-owner; else build_release "$aside"; fi
  basename "$1" >"$aside/RELEASE"
  chmod -R a+rX "$aside"
  chmod a+rx "$HOME_DIR" "$HOME_DIR/releases"
  "$aside/bin/atolld" --version
  mv -T "$aside" "$1"
}
