#include "forward/memory_content.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::forward {
namespace {

using Status = ContentSource::Status;

TEST(MemoryContent, IsHandedOutAsThereIsRoom) {
  Arena arena(64);
  MemoryContent content("abcde", arena);
  std::string read;
  const http::BodySink to{
      .write = [](void* self, ConstBytes piece) { static_cast<std::string*>(self)->append(as_text(piece)); },
      .owner = &read};
  EXPECT_EQ(content.read_content(0, to), Status::no_room);
  EXPECT_EQ(content.read_content(2, to), Status::more);
  EXPECT_EQ(read, "ab");
  EXPECT_EQ(content.read_content(100, to), Status::more);
  EXPECT_EQ(read, "abcde");
  EXPECT_EQ(content.read_content(0, to), Status::done);
  EXPECT_EQ(content.trailers().size(), 0U);
  EXPECT_EQ(content.passable_bytes(), 0U);
}

TEST(MemoryContent, MayBeEmpty) {
  Arena arena(64);
  EXPECT_EQ(MemoryContent("", arena).read_content(0, {}), Status::done);
}

}  // namespace
}  // namespace sluice::forward
