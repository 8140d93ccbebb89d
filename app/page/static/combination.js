// Which plugins go together on a dataset, by what they say of themselves; the service has the last word.

const WORDS = { "object-detection": "detection" };

// What a plugin is for; none: for anything, or it does not say.
export function tasksOf(plugin) {
  const tasks = plugin.capabilities?.tasks ?? [];
  return tasks.includes("any") ? [] : tasks;
}

export function isFor(plugin, task) {
  const tasks = tasksOf(plugin);
  return !task || !tasks.length || tasks.includes(WORDS[task] ?? task);
}

function together(model, training) {
  const [made, trained] = [model.capabilities?.families ?? [], training.capabilities?.families ?? []];
  return !made.length || !trained.length || made.some((family) => trained.includes(family));
}

// Lower is better: offered now, usable as it is, saying that it is for the task; of what is left, what trains networks.
function rank(plugin) {
  return [!plugin.available, (plugin.params_schema?.required ?? []).length > 0, !tasksOf(plugin).length, !(plugin.capabilities?.families ?? ["network"]).includes("network")].reduce((sum, worse) => 2 * sum + worse, 0);
}

// A model, a training and an evaluation that run on a task, with those that are kept as they are, by kind.
export function combination(kinds, task, kept = {}) {
  const candidates = (kind) => (kept[kind] ? [kept[kind]] : (kinds.get(kind) ?? []).filter((one) => isFor(one, task)).sort((a, b) => rank(a) - rank(b)));
  const pairs = candidates("model").flatMap((model) => candidates("training").filter((training) => together(model, training)).map((training) => ({ model, training })));
  const best = pairs.reduce((least, one) => (!least || rank(one.model) + rank(one.training) < rank(least.model) + rank(least.training) ? one : least), null);
  return { ...best, evaluation: candidates("evaluation")[0] };
}
