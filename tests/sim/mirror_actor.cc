#include "sim/mirror_actor.h"

#include <string>

namespace sluice::sim {

MirrorActor::MirrorActor(Judge& judge, const RunPlan& plan, Endpoint& endpoint)
    : Talker(judge.world()), judge_(judge), reader_(MessageReader::Role::requests, [this](ConstBytes content) {
        judge_.on_request_content(*request_, body_received_, content);
        body_received_ += content.size();
      }) {
  writing_ = plan.upstream_writing;
  reading_ = plan.upstream_reading;
  reader_.begin();
  talk_over(endpoint);
}

void MirrorActor::on_bytes(ConstBytes bytes) {
  while (!bytes.empty() && is_talking()) {
    if (reader_.is_complete()) reader_.begin();
    const bool had_head = reader_.has_head();
    bytes = bytes.subspan(reader_.read(bytes));
    if (reader_.is_broken()) world_.fail("a mirror got what is no HTTP: {}", reader_.error());
    if (!had_head && reader_.has_head()) {
      request_ = &judge_.on_copy(reader_);
      body_received_ = 0;
    }
    if (!reader_.is_complete()) continue;
    judge_.on_copy_complete(*request_, body_received_);
    answer();
  }
}

void MirrorActor::answer() {
  switch (world_.random().below(8)) {
    case 0: hang_up(false); break;
    case 1: hang_up(true); break;
    case 2: stop_reading(); break;  // and says nothing
    case 3:
      out().append(as_bytes("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
      finish_writing();
      pump_later();
      break;
    case 4:
      out().append(as_bytes("this is no HTTP\r\n\r\n"));
      pump_later();
      break;
    default:
      if (request_->method == "HEAD") {
        out().append(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
      } else {
        out().append(as_bytes("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n"));
      }
      pump_later();
  }
}

}  // namespace sluice::sim
