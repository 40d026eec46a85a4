/**
 * A daemon that commits accounts until it is killed or fails: `node commit-forever.ts FILE BYTES`.
 *
 * After each commit it prints the number of the account, so the test knows what was promised. When
 * a transaction fails it prints the kind of the error, waits for a line on stdin, tries once more
 * and prints `ok` or the kind again.
 */
import { once } from 'node:events'
import { AtollError } from '../../../src/model/errors.ts'
import type { AccountId } from '../../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../../src/model/metadata-options.ts'
import { openSqliteStore } from '../../../src/store/engines/sqlite/dialect.ts'
import { silentLog } from '../../../tools/kit/log.ts'

const [file = '', bytes = '10'] = process.argv.slice(2)
const store = await openSqliteStore({ file, log: silentLog })
await store.migrate()

/** Two rows in one transaction, so that half of it could be seen. */
const commit = (number: number) =>
  store.change(async (tx) => {
    const id = String(number).padStart(12, '0') as AccountId
    await tx.insertAccount({ id, name: 'x'.repeat(Number(bytes)), metadata: NO_PREFERENCE })
    await tx.insertAccessKey({ id, secret: 's', account: id, user: 'u' })
  })
const kindOf = (error: unknown) => (error instanceof AtollError ? error.kind : String(error))

for (let number = 1; ; number += 1) {
  try {
    await commit(number)
    process.stdout.write(`${number}\n`)
  } catch (error) {
    process.stdout.write(`${kindOf(error)}\n`)
    await once(process.stdin, 'data')
    process.stdout.write(`${await commit(number).then(() => 'ok', kindOf)}\n`)
    await store.close()
    process.exit(0)
  }
}
