/** Text files that settings and operators name. Whatever a path names, reading it ends. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { codeOf } from './errno.ts'

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist: a part of its path is a file',
  EACCES: 'may not be read by this user: run this as root (sudo)',
  ELOOP: 'is a symbolic link that leads nowhere: correct it',
  ERR_ENCODING_INVALID_ENCODED_DATA:
    'is not text in UTF-8: name the right file, or save it as UTF-8',
}

/** A file's text, or what is wrong with it in words for an operator. */
export type TextFile =
  | { readonly text: string }
  | { readonly problem: string; readonly isMissing: boolean }

/** Reads a whole file of at most `limitBytes`. Never waits for a pipe or a device. */
export function readTextFile(file: string, limitBytes: number): TextFile {
  const wrong = (problem: string, isMissing = false) => ({ problem, isMissing })
  let opened: number | undefined
  try {
    // A pipe that nobody writes to would be waited for (open(2), O_NONBLOCK).
    opened = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = fstatSync(opened)
    if (stats.isDirectory()) return wrong('is a directory: name the file in it')
    if (!stats.isFile()) return wrong('is no regular file: name a text file')
    if (stats.size > limitBytes)
      return wrong(`has ${stats.size} bytes, more than ${limitBytes}: name the right file`)
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(opened)) }
  } catch (error) {
    const code = codeOf(error) ?? ''
    return wrong(WHY[code] ?? `cannot be read (${String(error)})`, code === 'ENOENT')
  } finally {
    if (opened !== undefined) closeSync(opened)
  }
}
