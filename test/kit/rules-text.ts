/** The scripts that load rules, for tests that look at text. */

import type { HostWant } from '../../src/model/want.ts'
import { budgetTables, loadBudgets } from '../../src/plan/budgets.ts'
import type { BudgetLimits } from '../../src/plan/connection-budgets.ts'
import { loadScript, planRuleset } from '../../src/plan/ruleset.ts'

export function renderRuleset(...given: Parameters<typeof planRuleset>): string {
  return loadScript(planRuleset(...given), new Map())
}

export function renderBudgets(want: HostWant, limits: BudgetLimits): string {
  return loadBudgets(budgetTables(want, limits), new Map())
}
