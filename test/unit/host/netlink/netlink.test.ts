/** Requests to the kernel, and a process that does not run for longer than their limit. */
import { expect, it } from 'vitest'
import { createIp } from '../../../../src/host/netlink/ip.ts'
import { openRouteNetlink } from '../../../../src/host/netlink/netlink.ts'
import { nextTurn } from '../../../../src/lib/clock.ts'

const TIMEOUT_MS = 50

it('takes the answers that came while the process did not run', async () => {
  const ip = createIp(openRouteNetlink(TIMEOUT_MS))
  const asleep = new Int32Array(new SharedArrayBuffer(4))
  try {
    const known = await ip.links()
    await nextTurn()
    const asked = [ip.links(), ip.links(), ip.links()]
    // The first is sent in one of these.
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
    // Much longer than any stretch of the limit.
    Atomics.wait(asleep, 0, 0, TIMEOUT_MS * 20)
    const names = (await Promise.all(asked)).map((links) => links.map(({ name }) => name))
    expect(names).toEqual(asked.map(() => known.map(({ name }) => name)))
  } finally {
    ip.close()
  }
})
