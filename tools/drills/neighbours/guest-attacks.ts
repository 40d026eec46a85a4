/** Attacks by root in an instance on the machine, without the network. */
import { readFileSync } from 'node:fs'
import type { Attack } from './attack.ts'
import { insideContainer } from './flood.ts'

const COUNT_EVERY_MS = 50

/** The last line, without the shell's error messages. */
const lastLine = (text: string) => text.split('\n').at(-1) ?? ''

export const guestAttacks: readonly Attack[] = [
  {
    name: 'fork-bomb',
    shared: 'process numbers',
    tried: '20,000 processes that sleep',
    async run(context) {
      const line = 'i=0; while [ $i -lt 20000 ]; do sleep 4 & i=$((i+1)); done'
      let most = 0
      const { processGroup } = context.mallory
      const counting = setInterval(() => {
        if (processGroup === null) return
        const now = Number(readFileSync(`${processGroup}/pids.current`, 'utf8'))
        most = Math.max(most, now)
      }, COUNT_EVERY_MS)
      try {
        await insideContainer(context, context.mallory, line)
      } finally {
        clearInterval(counting)
      }
      return `${most} processes at once`
    },
  },
  {
    name: 'memory-hog',
    shared: 'memory',
    tried: 'a program that takes memory until it is stopped',
    async run(context) {
      const said = await insideContainer(
        context,
        context.mallory,
        'timeout 8 tail /dev/zero >/dev/null; echo exit code $?',
      )
      return lastLine(said)
    },
  },
  {
    name: 'processor-hog',
    shared: 'processors',
    tried: '16 endless loops',
    async run(context) {
      const loops =
        'i=0; while [ $i -lt 16 ]; do timeout 5 sh -c "while :; do :; done" & i=$((i+1)); done; wait; echo 16 loops for 5 s'
      return lastLine(await insideContainer(context, context.mallory, loops))
    },
  },
  {
    name: 'inotify',
    shared: 'inotify instances',
    tried: '400 of them; then a neighbour asks for one',
    async run(context) {
      const line =
        'i=0; while [ $i -lt 400 ]; do timeout 5 inotifyd true /tmp:c & i=$((i+1)); done >/dev/null 2>&1; sleep 1; echo 400 asked for'
      const taking = insideContainer(context, context.mallory, line)
      const said = lastLine(await taking)
      const neighbour = await insideContainer(
        context,
        context.neighbour,
        'timeout 1 inotifyd true /tmp:c 2>&1; echo $?',
      )
      return `${said.slice(0, 60)}; the neighbour ${/Too many|No space/.test(neighbour) ? 'gets NONE' : 'gets one'}`
    },
  },
  {
    name: 'disk-fill',
    shared: 'the disk of the host',
    tried: '1,200 MiB written into its own root file system, on a host with a disk of 4 GiB',
    async run(context) {
      const said = await insideContainer(
        context,
        context.mallory,
        'dd if=/dev/zero of=/fill bs=1M count=1200 2>&1 | tail -1; ls -s /fill | cut -d" " -f1; rm -f /fill',
      )
      return said.replaceAll('\n', ', ').slice(0, 120)
    },
  },
]
