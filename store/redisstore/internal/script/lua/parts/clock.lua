-- now is the store's clock, in ms. FAR is later than any time in ms.
local time = server.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local FAR = 9e15
