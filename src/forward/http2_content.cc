#include "forward/http2_content.h"

#include <algorithm>

namespace sluice::forward {

ContentSource::Status Http2Source::read_content(size_t room, http::BodySink to) {
  if (stream_.is_content_done()) return Status::done;
  if (stream_.is_lost()) return stream_.error() == http::ReadError::none ? Status::ended : Status::failed;
  const ConstBytes content = stream_.content();
  if (content.empty()) return Status::blocked;
  if (room == 0) return Status::no_room;
  const size_t size = std::min(content.size(), room);
  to.write(to.owner, content.first(size));
  stream_.consume(size);
  return Status::more;
}

}  // namespace sluice::forward
