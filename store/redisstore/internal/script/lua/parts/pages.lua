-- page reads up to limit items with bytes in all, or one that is larger. It calls read(number of
-- items read, number to read). longest is the largest size of an item. If it is not known, page
-- reads few items at a time, and estimates from their sizes.
local PAGE_BYTES = 1048576
local function page(limit, bytes, longest, read)
  local items, size, most = {}, 0, longest or bytes
  while #items < limit and size < bytes do
    local n = math.max(1, math.min(limit - #items, math.floor((bytes - size) / most), longest and limit or 4))
    if #items == 0 and not longest then
      most = 1
    end
    local more = read(#items, n)
    for _, item in ipairs(more) do
      most = math.max(most, #item)
      if size > 0 and size + #item > bytes then
        return items, bytes
      end
      items[#items + 1] = item
      size = size + #item
    end
    if #more < n then
      break
    end
  end
  return items, size
end
