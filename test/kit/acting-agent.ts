/** Says of every instance in the records what an agent would say that it has done. */
import { applyFact, type InstanceFact } from '../../src/model/lifecycle.ts'
import { releaseInstance } from '../../src/store/release.ts'
import type { Store } from '../../src/store/store.ts'

const PERIOD_MS = 50

/** Looks again and again until it is disposed of. */
export function actAsAgent(store: Store): Disposable {
  const timer = setInterval(() => void reportAll(store), PERIOD_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

async function reportAll(store: Store): Promise<void> {
  await store.change(async (tx) => {
    for (const instance of await tx.instances({})) {
      const { id, bootCount, wanted } = instance
      const end = { code: 'x', message: 'x' }
      const facts: Readonly<Record<typeof wanted, InstanceFact>> = {
        run: { kind: 'running', instance: id, bootCount },
        stop: { kind: 'stopped', instance: id, bootCount, ...end },
        terminate: { kind: 'gone', instance: id },
      }
      const now = new Date().toISOString()
      const passed = { kind: 'checked', instance: id, bootCount, result: 'passed' } as const
      const change = applyFact(instance, facts[wanted], now) ?? applyFact(instance, passed, now)
      if (change === null) continue
      if (wanted === 'terminate') await releaseInstance(tx, instance)
      await tx.updateInstance(id, change)
    }
  })
}
