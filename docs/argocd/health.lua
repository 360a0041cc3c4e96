-- Health of the kinds of idp-operator.dev, for Argo CD: the same script for all of them.
-- Needs no library of Lua, so `useOpenLibs` can stay off. Objects that are being deleted Argo CD judges itself.

local status = obj.status or {}

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is_true(condition)
  return condition ~= nil and condition.status == "True"
end

local function health(name, message)
  return { status = name, message = message }
end

-- Before the first verdict it is -1, and after an edit it is behind.
if status.observedGeneration == nil or status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "waits for the operator to look at it")
end

local ready = conditions.Ready

if is_true(conditions.Suspended) then
  local verdict = ""
  if ready ~= nil and ready.status ~= "Unknown" then
    verdict = "; before that: " .. ready.reason
  end
  return health("Suspended", conditions.Suspended.message .. verdict)
end

if ready == nil then
  return health("Progressing", "waits for the operator to look at it")
end

if ready.status == "True" then
  return health("Healthy", ready.message)
end

-- Nothing that the operator does or waits for helps: somebody must edit or delete an object.
if is_true(conditions.Stalled) then
  return health("Degraded", ready.reason .. ": " .. ready.message)
end

return health("Progressing", ready.reason .. ": " .. ready.message)
