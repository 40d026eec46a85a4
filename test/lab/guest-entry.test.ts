/** The first program of a container, when nobody looks after it any more. */
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { GUEST_ENTRY_FILE } from '../../src/containers/guest-kit.ts'
import { createNetns } from '../../tools/kit/netns.ts'

it('ends when its kit is gone while it waits for its NIC', async () => {
  const guest = await createNetns('guest-entry')
  try {
    // There is no NIC, and no /.atoll here, as after the daemon has removed the container's kit.
    const entry = ['busybox', 'sh', fileURLToPath(GUEST_ENTRY_FILE), 'dhcp', 'true']
    expect(await guest.run(entry, { timeoutMs: 10_000 })).toMatchObject({ exitCode: 143 })
  } finally {
    await guest.destroy()
  }
})
