/**
 * An embedded engine that behaves as a remote one: one turn of the event loop passes before every
 * statement.
 *
 * Without it, the statements of two stores in one process would never interleave, and no race could
 * occur.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DatabaseConnection, Dialect } from 'kysely'

/** The dialect, with turns. */
export function withTurns(dialect: Dialect): Dialect {
  return {
    createAdapter: () => dialect.createAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createDriver() {
      const driver = dialect.createDriver()
      const acquire = driver.acquireConnection.bind(driver)
      const slowed = new WeakSet<DatabaseConnection>()
      driver.acquireConnection = async (options) => {
        const connection = await acquire(options)
        if (slowed.has(connection)) return connection
        slowed.add(connection)
        const execute = connection.executeQuery.bind(connection)
        connection.executeQuery = async (query, queryOptions) => {
          await nextTurn()
          return execute(query, queryOptions)
        }
        return connection
      }
      return driver
    },
  }
}
