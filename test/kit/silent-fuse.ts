/**
 * A file system whose server has fallen silent: it answers FUSE's first message and no other, so
 * that whoever uses it stands still in the kernel, deaf to SIGKILL, as with NFS (fuse(4)).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { systemRunner } from '../../src/lib/runner.ts'

/** Reads requests for ever. Written as JavaScript, because it is a process of its own. */
const SERVER = `
const { openSync, readSync, writeSync } = require('node:fs')
const { spawn } = require('node:child_process')
const fd = openSync('/dev/fuse', 'r+')
const options = 'fd=3,rootmode=40000,user_id=0,group_id=0'
const mount = spawn('mount', ['-t', 'fuse', '-o', options, 'silent', process.argv[1]], { stdio: ['ignore', 1, 2, fd] })
mount.on('exit', (code) => {
  if (code !== 0) process.exit(1)
  const request = Buffer.alloc(1 << 20)
  for (let first = true; ; first = false) {
    readSync(fd, request)
    if (first) {
      const answer = Buffer.alloc(80)
      answer.writeUInt32LE(80, 0)
      request.copy(answer, 8, 8, 16)
      answer.writeUInt32LE(7, 16)
      answer.writeUInt32LE(31, 20)
      answer.writeUInt32LE(65536, 24)
      answer.writeUInt16LE(16, 32)
      answer.writeUInt32LE(65536, 36)
      writeSync(fd, answer)
      console.log('silent')
    }
  }
})
`

/** Mounts it over a directory. Closing it ends all that stand still there. */
export async function mountSilently(dir: string): Promise<AsyncDisposable> {
  const server = spawn(process.execPath, ['-e', SERVER, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(server.stdout, 'data')
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
      await systemRunner('umount', ['-l', dir])
    },
  }
}
