/** A plugin's routing policy as a policy of the registry. A recipient that it cannot judge is refused for now, and only that one. */
import { cancelledReply } from '../core/precondition.ts';
import type { Response } from '../core/response.ts';
import type { RoutingPolicyDefinition, RoutingVerdict } from '../filters/routing/policy.ts';
import { checkedRouting } from './checked-answer.ts';
import { guardedCreate, guardedSchema } from './guarded-create.ts';
import { pluginEnv } from './plugin-env.ts';
import { PluginFault, pluginFailedReply } from './plugin-fault.ts';
import { inPlugin, type PluginPart } from './plugin-part.ts';
import type { PluginRoutingPolicy } from './plugin-routing-policy.ts';
import { PluginTx } from './plugin-tx.ts';
import { timeLimited } from './time-limited.ts';

export function guardedRoutingPolicy(plugin: string, definition: PluginRoutingPolicy): RoutingPolicyDefinition {
  const { name, summary } = definition;
  const part: PluginPart = { plugin, kind: 'routing policy', name };
  return {
    name,
    summary,
    config: guardedSchema(part, 'name', definition.config),
    onlyListed: () => definition.onlyListed === true,
    create: (config, hasDestination, env) => {
      const ask = { ...pluginEnv(env, plugin), hasDestination };
      const policy = guardedCreate(part, 'name', () => definition.create(config, ask));
      return async (to, tx) => {
        try {
          const verdict = await timeLimited(part, env.deps.clock, tx.signal, async () =>
            checkedRouting(await inPlugin(part, () => policy(to, new PluginTx(tx, part)))),
          );
          return verdict ?? reject(cancelledReply);
        } catch (error) {
          tx.log.error({ plugin, policy: name, error: PluginFault.of(part, error) }, 'a plugin failed');
          return reject(pluginFailedReply);
        }
      };
    },
  };
}

function reject(response: Response): RoutingVerdict {
  return { kind: 'reject', response };
}
