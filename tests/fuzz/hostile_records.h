// Requests as formats may meet them at worst: nothing is known, or every text is one that a client has chosen and the
// numbers are at their ends.
#pragma once

#include "base/arena.h"
#include "observe/request_record.h"

#include <chrono>
#include <string_view>

namespace sluice::fuzz {

template <typename Look>
void for_hostile_records(std::string_view text, Look look) {
  observe::RequestRecord record;
  look(record);
  Arena arena(64 * 1024);
  http::HeaderList fields(arena);
  if (!fields.add("x", text) || !fields.add("host", text)) return;
  record.request_fields = record.response_fields = &fields;
  record.method = record.path = record.authority = record.details = record.requested_server_name = text;
  record.connection_termination_details = record.upstream_failure_reason = text;
  record.flags.bits = 0xffffffff;
  record.start = WallTime::max();
  record.duration = Duration::max();
  look(record);
  record.start = WallTime::min() + std::chrono::seconds(1);  // whose whole second can be represented
  record.duration = Duration::min();
  look(record);
}

}  // namespace sluice::fuzz
