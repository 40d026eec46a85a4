/** Requests that are executed only once. Pure. */
import type { AccountId } from './ids.ts'

/** A request that must be executed only once: (account, action, token) is unique in the cluster. */
export interface ClientToken {
  readonly account: AccountId
  readonly action: string
  readonly token: string
  /** Hash of the request's parameters. The same token with other parameters is refused. */
  readonly parametersHash: string
  /** The result of the first request. */
  readonly result: string
  readonly createdAt: string
}
