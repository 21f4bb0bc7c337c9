// What corosync.go asks of libcpg and libquorum. The callbacks are Go's; the
// uintptr_t is a cgo.Handle, carried as the library's context pointer.
#include <stddef.h>
#include <stdint.h>
#include <corosync/corotypes.h>
#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>

cs_error_t member_cpg_open(cpg_handle_t *h, uintptr_t owner);
cs_error_t member_cpg_join(cpg_handle_t h);
cs_error_t member_cpg_leave(cpg_handle_t h);
cs_error_t member_cpg_send(cpg_handle_t h, void *head, size_t head_len, void *body, size_t body_len);
cs_error_t member_quorum_open(quorum_handle_t *h, uintptr_t owner);
