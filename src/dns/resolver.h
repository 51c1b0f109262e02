// The thread that looks up the names that clients request, for all shards: questions from any thread, answers by
// NameAnswers. It remembers answers for as long as they say (within bounds), and failures for a moment; equal questions
// that come meanwhile are one. A name whose servers fail keeps its last answer for a while; one that is said not to
// exist does not (RFC 8767 4).
//
// Names are taken as fully qualified, and what is_lookup_name() refuses is asked of nobody. /etc/hosts goes first. A
// and AAAA records are asked for at the same time. Started and stopped by the control plane.
#pragma once

#include "base/name_lookup.h"
#include "base/result.h"

#include <memory>
#include <string>

namespace sluice::dns {

class Resolver final : public NameLookup {
 public:
  // `servers`: "ADDR[:PORT],..."; empty: those of /etc/resolv.conf, whose changes are seen within a second.
  [[nodiscard]] static Result<std::unique_ptr<Resolver>> start(std::string servers);

  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  // Joins the thread. What was asked and not answered stays so.
  ~Resolver() override;

  // Beyond limits::dns_questions_max the answer is a failure, at once.
  void look_up(std::string_view name, const std::shared_ptr<NameAnswers>& answers) override;

 private:
  class Thread;

  explicit Resolver(std::unique_ptr<Thread> thread) noexcept;

  std::unique_ptr<Thread> thread_;
};

}  // namespace sluice::dns
