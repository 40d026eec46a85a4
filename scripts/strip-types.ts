/**
 * strip-types ROOT COPY: makes, for what is in bin, a copy of ROOT/src that Node runs without
 * stripping types itself.
 *
 * Types give way to blanks, so that every line and column of a stack trace is also that of the
 * source. The copy comes into being whole or not at all, and several daemons may make the same one
 * at once. Copies beside it that no daemon has started from for a long time are removed. Exit 1
 * with one line on stderr when it cannot be made.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { basename, dirname, join } from 'node:path'

const KEPT_MS = 30 * 24 * 3600 * 1000

/** Imports of our own files name them with their extension; in the copy they have another one. */
function withoutTypes(source: string): string {
  return stripTypeScriptTypes(source).replaceAll(
    /(\b(?:from|import)\s*\(?\s*'\.[^'\n]*)\.ts'/g,
    "$1.js'",
  )
}

function makeCopy(root: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true })
  const aside = mkdtempSync(`${target}.`)
  try {
    for (const path of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
      const source = join(root, 'src', path)
      if (!statSync(source).isFile()) continue
      const file = join(aside, 'src', path.replace(/\.ts$/, '.js'))
      mkdirSync(dirname(file), { recursive: true })
      if (path.endsWith('.ts')) writeFileSync(file, withoutTypes(readFileSync(source, 'utf8')))
      else copyFileSync(source, file)
    }
    copyFileSync(join(root, 'package.json'), join(aside, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(aside, 'node_modules'))
    // What mkdtemp makes is its owner's alone, and `atoll` is everybody's.
    chmodSync(aside, 0o755)
    renameSync(aside, target)
  } catch (error) {
    // Whoever came first has made the same copy.
    if (!existsSync(target)) throw error
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}

function removeOld(target: string): void {
  const kind = basename(target).replace(/-.*$/, '-')
  for (const name of readdirSync(dirname(target))) {
    const path = join(dirname(target), name)
    if (name.startsWith(kind) && statSync(path).mtimeMs < Date.now() - KEPT_MS)
      rmSync(path, { recursive: true, force: true })
  }
}

const [root, target] = process.argv.slice(2)
try {
  if (root === undefined || target === undefined) throw new Error('usage: strip-types ROOT COPY')
  makeCopy(root, target)
  removeOld(target)
} catch (error) {
  process.stderr.write(`atolld: no copy without types could be made: ${error}\n`)
  process.exitCode = 1
}
