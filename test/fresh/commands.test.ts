/**
 * README and docs as somebody follows them who has just cloned this: the quickstart cloud and every
 * command that is shown for it, a lab of three hosts, a drill, a benchmark, an image of Debian; and
 * nothing is left. The long mode does so on Debian's essential packages, where scripts must install
 * all that they use. Which command is given where: sessions.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isLong } from '../long-files.ts'
import { onFreshMachine, whyNoFreshMachine } from './machine.ts'
import { SESSIONS, type Step } from './sessions.ts'

const TIMEOUT_MS = isLong ? 3_600_000 : 1_500_000
const SETTLE_MS = 300_000
/** Of what a step said, in a failure. */
const SHOWN_CHARACTERS = 4000

const impossible = whyNoFreshMachine()
const sessions = Object.entries(SESSIONS)

/** Bash for a session, which says where each step begins and how it ends. */
function scriptOf(name: string, steps: readonly Step[]): string {
  const lines = steps.flatMap(({ run }, index) => [
    `echo "== ${name} ${index} at $SECONDS s"`,
    run,
    `printf '\\n== ${name} ${index} ended with %s\\n' $?`,
  ])
  return ['cd /root/atoll', 'shopt -s expand_aliases', ...lines].join('\n')
}

/** What a step said and how it ended; null for one that the session did not come to the end of. */
function resultOf(said: string, name: string, index: number) {
  const [, after = ''] = said.split(new RegExp(`^== ${name} ${index} at \\d+ s\n`, 'm'))
  const end = new RegExp(`^== ${name} ${index} ended with (\\d+)\n`, 'm').exec(after)
  return end === null ? null : { said: after.slice(0, end.index), code: Number(end[1]) }
}

let said = ''

describe.skipIf(impossible !== null)(
  `a fresh clone ${impossible === null ? '' : `(skipped: ${impossible})`}`,
  () => {
    beforeAll(async () => {
      const { main, ...others } = SESSIONS
      const files = Object.entries(others).map(
        ([name, steps]) => `cat >/root/${name} <<'SESSION'\n${scriptOf(name, steps)}\nSESSION\n`,
      )
      const script = `${files.join('')}${scriptOf('main', main)}`
      const outcome = await onFreshMachine(script, { bare: isLong, timeoutMs: TIMEOUT_MS })
      said = outcome.said
    }, TIMEOUT_MS + SETTLE_MS)

    afterAll(() => {
      const times = [...said.matchAll(/^== main (\d+) at (\d+) s$/gm)]
      const line = times.map(([, step, at]) => `${step}: ${at} s`)
      process.stdout.write(`steps began at: ${line.join(', ')}\n`)
    })

    for (const [name, steps] of sessions) {
      it.each(steps.map((step, index) => ({ ...step, index })))(
        `${name} $index: $run`,
        ({ index, codes, says }) => {
          const result = resultOf(said, name, index)
          expect(
            result,
            `it did not come to this:\n${said.slice(-SHOWN_CHARACTERS)}`,
          ).not.toBeNull()
          expect(codes, result?.said.slice(-SHOWN_CHARACTERS)).toContain(result?.code)
          expect(result?.said).toMatch(says)
        },
      )
    }
  },
)
