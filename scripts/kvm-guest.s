# The guest with which src/host/kvm/kvm.ts checks that KVM works on this host. In a few hundred
# bytes it does what every kernel does when it starts, and what a broken KVM fails at: enter long
# mode with paging, handle exceptions, handle a page fault and map the page, use all registers that
# a kernel sets, and sleep until the timer of its APIC wakes it.
#
# It is a flat multiboot image that `qemu-system-x86_64 -kernel` boots
# (https://www.gnu.org/software/grub/manual/multiboot/multiboot.html, "The address fields"). It ends
# by writing to isa-debug-exit: PASSED, or the number of the step that failed. QEMU's exit code is
# twice that plus one. A worse failure is a triple fault (-no-reboot).
#
# Generate the bytes of src/host/kvm/kvm-guest.ts (test/unit/host/kvm/kvm.test.ts compares them):
#   as --64 -o kvm-guest.o scripts/kvm-guest.s
#   ld -m elf_x86_64 -Ttext=0x100000 -e header --oformat binary -o kvm-guest.bin kvm-guest.o
#   base64 -w 100 kvm-guest.bin

    .set PASSED, 42
    .set DEBUG_EXIT, 0xf4
    .set PRESENT_WRITABLE, 0x3
    .set LARGE_PAGE, 0x83
    .set UNMAPPED, 0x20000000           # 512 MiB: the handler of the page fault maps its page
    .set APIC, 0xfee00000
    .set TIMER_VECTOR, 32
    .set MEMORY, 0x400000               # 4 MiB: written, and read back
    .set MEMORY_WORDS, 0x100000         # 8 MiB of 8 bytes each
    # Behind the image, below MEMORY.
    .set PML4, 0x200000
    .set PDPT, 0x201000
    .set LOW_DIRECTORY, 0x202000        # the first GiB
    .set HIGH_DIRECTORY, 0x203000       # the fourth, where the APIC is
    .set IDT, 0x204000
    .set IDT_BYTES, 256 * 16
    .set STACK_TOP, 0x210000

    .macro fail_with step
    movl $\step, %eax
    jmp finish
    .endm

    .text
    .globl header
    .code32
header:
    .long 0x1badb002
    .long 0x00010000                    # the address fields hold
    .long -(0x1badb002 + 0x00010000)
    .long header
    .long header
    .long image_end
    .long 0
    .long entry

entry:
    cli
    cld
    lgdt gdt_pointer
    xorl %eax, %eax
    movl $PML4, %edi
    movl $(STACK_TOP - PML4) / 4, %ecx
    rep stosl
    movl $PDPT + PRESENT_WRITABLE, PML4
    movl $LOW_DIRECTORY + PRESENT_WRITABLE, PDPT
    movl $HIGH_DIRECTORY + PRESENT_WRITABLE, PDPT + 3 * 8
    movl $LARGE_PAGE, %eax
    movl $512, %ecx
    movl $LOW_DIRECTORY, %edi
1:  movl %eax, (%edi)
    leal 0xc0000000(%eax), %edx
    movl %edx, 0x1000(%edi)             # HIGH_DIRECTORY
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b
    movl $0, LOW_DIRECTORY + (UNMAPPED >> 21) * 8

    movl %cr4, %eax
    orl $0x620, %eax                    # PAE, OSFXSR, OSXMMEXCPT
    movl %eax, %cr4
    movl $PML4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx              # EFER
    rdmsr
    orl $0x101, %eax                    # LME, SCE
    wrmsr
    movl %cr0, %eax
    andl $~0x4, %eax                    # EM
    orl $0x80010002, %eax               # PG, WP, MP
    movl %eax, %cr0
    ljmp $8, $long_mode

    .code64
long_mode:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq $STACK_TOP, %rsp
    movl $3, %edi
    movq $on_breakpoint, %rsi
    call set_gate
    movl $14, %edi
    movq $on_page_fault, %rsi
    call set_gate
    movl $TIMER_VECTOR, %edi
    movq $on_timer, %rsi
    call set_gate
    lidt idt_pointer

    # 1: what the processor says of itself, again and again; EFER says that this is long mode.
    movl $64, %esi
1:  xorl %eax, %eax
    xorl %ecx, %ecx
    cpuid
    testl %eax, %eax
    jz 2f
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx
    jnc 2f
    decl %esi
    jnz 1b
    movl $0xc0000080, %ecx
    rdmsr
    btl $10, %eax                       # LMA
    jc 3f
2:  fail_with 1

    # 2: an exception comes, and the interrupted code goes on.
3:  xorl %r12d, %r12d
    int3
    cmpl $1, %r12d
    je 4f
    fail_with 2

    # 3: a segment base, and registers for floating point.
4:  movl $0xc0000100, %ecx              # FS.base
    movl $header, %eax
    xorl %edx, %edx
    wrmsr
    cmpl $0x1badb002, %fs:0
    jne 5f
    movq $0x5a5a5a5a, %rax
    movq %rax, %xmm1
    movq %xmm1, %rdx
    cmpq %rax, %rdx
    je 6f
5:  fail_with 3

    # 4: a page that is not there is put there by the handler, and then it is.
6:  xorl %r13d, %r13d
    movq $UNMAPPED, %rdi
    movq $0x7777, (%rdi)
    cmpq $0x7777, MEMORY
    jne 7f
    cmpl $1, %r13d
    je 8f
7:  fail_with 4

    # 5: memory keeps what it is given.
8:  movq $MEMORY, %rdi
    movq $MEMORY_WORDS, %rcx
9:  movq %rdi, (%rdi)
    addq $8, %rdi
    loop 9b
    movq $MEMORY, %rdi
    movq $MEMORY_WORDS, %rcx
1:  cmpq %rdi, (%rdi)
    jne 2f
    addq $8, %rdi
    loop 1b
    jmp 3f
2:  fail_with 5

    # 6: sleep until the APIC's timer has fired three times. The old controller is masked.
3:  movb $0xff, %al
    outb %al, $0x21
    outb %al, $0xa1
    movl $0x1b, %ecx                    # IA32_APIC_BASE
    rdmsr
    orl $0x800, %eax
    wrmsr
    movl $APIC, %ebx
    movl $0x1ff, 0xf0(%rbx)             # on; spurious vector 255
    movl $0xb, 0x3e0(%rbx)              # every clock counts
    movl $0x20000 + TIMER_VECTOR, 0x320(%rbx)
    xorl %r14d, %r14d
    movl $100000, 0x380(%rbx)
4:  sti
    hlt
    cli
    cmpl $3, %r14d
    jb 4b

    movl $PASSED, %eax
finish:
    movw $DEBUG_EXIT, %dx
    outl %eax, %dx
1:  cli
    hlt
    jmp 1b

# Gate %edi of the IDT calls %rsi.
set_gate:
    shll $4, %edi
    addl $IDT, %edi
    movw %si, (%rdi)
    movw $8, 2(%rdi)
    movw $0x8e00, 4(%rdi)
    shrq $16, %rsi
    movw %si, 6(%rdi)
    ret

on_breakpoint:
    incl %r12d
    iretq

# The page is the one that MEMORY begins in.
on_page_fault:
    pushq %rax
    movq %cr2, %rax
    cmpq $UNMAPPED, %rax
    jne 1f
    movq $MEMORY + LARGE_PAGE, LOW_DIRECTORY + (UNMAPPED >> 21) * 8
    invlpg (%rax)
    incl %r13d
    popq %rax
    addq $8, %rsp                       # the error code
    iretq
1:  fail_with 7

on_timer:
    incl %r14d
    movl $0, 0xb0(%rbx)                 # end of interrupt; it comes only while the step above waits
    iretq

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff            # code, 64 bits
    .quad 0x00cf93000000ffff            # data
gdt_pointer:
    .word . - gdt - 1
    .long gdt
idt_pointer:
    .word IDT_BYTES - 1
    .quad IDT
image_end:
